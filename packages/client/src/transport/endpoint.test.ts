import { expect, test } from 'vitest'
import { endpoint } from './endpoint.ts'

test('a relay’s URL may be given as a web or as a WebSocket address, with or without a path', () => {
  expect(endpoint('https://relay.example', '/v1/sync')).toBe('wss://relay.example/v1/sync')
  expect(endpoint('http://localhost:8080/', '/v1/sync')).toBe('ws://localhost:8080/v1/sync')
  expect(endpoint('wss://relay.example/chat/?a=b#c', '/yjs')).toBe('wss://relay.example/chat/yjs')
  expect(endpoint('HTTPS://someone:secret@[::1]:8080?a@b', '/yjs')).toBe('wss://[::1]:8080/yjs')
})

test('anything else is 20001', () => {
  for (const url of [
    'relay.example',
    '',
    'ftp://relay.example',
    'javascript:alert(1)',
    'ws://',
    'https:///x',
    'ws://u@',
  ]) {
    expect(() => endpoint(url, '/v1/sync')).toThrow(expect.objectContaining({ code: 20001 }))
  }
})
