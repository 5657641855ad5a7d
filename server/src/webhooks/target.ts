/**
 * Where a webhook may be. Whoever configures one makes the relay ask there: never its own machine or network, unless
 * the relay's owner allows it. A name is judged by the addresses that are connected to, at each connection.
 */
import { lookup as systemLookup } from 'node:dns'
import { BlockList, isIP, type LookupFunction } from 'node:net'
import { ConfabError } from '@confab/core'

/** Characters of a URL, at most. */
const URL_LENGTH = 2048

const notPublic = new BlockList()
// IANA's registries of special-purpose addresses
for (const [network, prefix] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
  // what a cloud tells its own machines, at a public address
  ['168.63.129.16', 32],
] as const)
  notPublic.addSubnet(network, prefix, 'ipv4')
for (const [network, prefix] of [
  ['::', 96],
  // addresses that stand for IPv4 ones: translated, tunnelled
  ['64:ff9b::', 96],
  ['64:ff9b:1::', 48],
  ['2001::', 23],
  ['2002::', 16],
  ['100::', 64],
  ['2001:db8::', 32],
  ['3fff::', 20],
  ['5f00::', 16],
  ['fc00::', 7],
  ['fe80::', 10],
  ['fec0::', 10],
  ['ff00::', 8],
] as const)
  notPublic.addSubnet(network, prefix, 'ipv6')

/** Whether the address is one of the internet's; false for what is none. IPv4 in IPv6 is judged as IPv4. */
export function isPublic(address: string): boolean {
  const family = isIP(address)
  return family !== 0 && !notPublic.check(address, family === 4 ? 'ipv4' : 'ipv6')
}

/** Something that will be refused however often it is asked. */
export class TargetRefused extends Error {
  override readonly name = 'TargetRefused'
}

/** @throws TargetRefused when it is no URL of a webhook, or says itself that it is on a private network */
export function targetOf(text: string, allowPrivate: boolean): URL {
  const url = text.length <= URL_LENGTH ? URL.parse(text) : null
  if (!url || (url.protocol !== 'http:' && url.protocol !== 'https:'))
    throw new TargetRefused(`must be an http or https URL of at most ${URL_LENGTH} characters`)
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const isLocal = isIP(host) === 0 ? /(^|\.)localhost\.?$/.test(host) : !isPublic(host)
  if (isLocal && !allowPrivate) throw new TargetRefused(NOT_ALLOWED)
  return url
}

const NOT_ALLOWED = 'is at a private, loopback or link-local address, which this relay does not ask'

/** @throws ConfabError 20001 that names the field */
export function checkTarget(name: string, text: string, allowPrivate: boolean): void {
  try {
    targetOf(text, allowPrivate)
  } catch (error) {
    throw new ConfabError(20001, `${name} ${(error as Error).message}`)
  }
}

/**
 * Resolves a name to what may be connected to, and to nothing when any of its addresses may not. Given to the socket
 * itself, so that nobody can have the name mean something else by then.
 */
export function publicLookup(resolve: typeof systemLookup = systemLookup): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname, { ...options, all: true }, (error, addresses) => {
      if (error) return callback(error, '', 0)
      const [first] = addresses
      if (!first || !addresses.every(({ address }) => isPublic(address)))
        return callback(new TargetRefused(`${hostname} ${NOT_ALLOWED}`), '', 0)
      if (options.all) callback(null, addresses)
      else callback(null, first.address, first.family)
    })
  }
}
