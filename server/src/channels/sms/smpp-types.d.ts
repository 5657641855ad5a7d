/** What of the package `smpp` is used here; it has no declarations of its own. */
declare module 'smpp' {
  import type { EventEmitter } from 'node:events'
  import type { Server as NetServer, Socket } from 'node:net'

  export interface Pdu {
    command: string
    command_status: number
    sequence_number: number
    response(options?: object): Pdu
    isResponse(): boolean
    message_id?: string
    source_addr?: string
    source_addr_ton?: number
    destination_addr?: string
    dest_addr_ton?: number
    esm_class?: number
    data_coding?: number
    registered_delivery?: number
    short_message?: { message: string | Buffer; udh?: Buffer[] }
    message_payload?: { message: string | Buffer; udh?: Buffer[] } | Buffer
    receipted_message_id?: string
    message_state?: number
    sar_msg_ref_num?: number
    sar_total_segments?: number
    sar_segment_seqnum?: number
    system_id?: string
    password?: string
  }
  type Command = (options: object, answered?: (pdu: Pdu) => void) => boolean
  export interface Session extends EventEmitter {
    socket: Socket
    send(pdu: Pdu, answered?: (pdu: Pdu) => void): boolean
    bind_transceiver: Command
    submit_sm: Command
    deliver_sm: Command
    enquire_link: Command
    unbind: Command
    close(done?: () => void): void
    destroy(done?: () => void): void
  }
  export interface Server extends NetServer {
    sessions: Session[]
  }
  interface Smpp {
    connect(options: { host: string; port: number; tls?: boolean }, connected?: () => void): Session
    createServer(listener: (session: Session) => void): Server
    errors: { [name: string]: number }
  }
  const smpp: Smpp
  export default smpp
}
