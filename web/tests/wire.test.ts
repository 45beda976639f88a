import { describe, expect, it } from 'vitest'
import { asNumbers, decode, encode, type Reading } from '../src/wire'

const picture: Reading = { id: 7, frame: 40, low: -1, high: 1, shape: [2, 3], data: Uint8Array.of(0, 51, 102, 153, 204, 255) }
const numbers: Reading = { id: 4294967295, frame: 41, low: 0, high: 0, shape: [], data: Float32Array.of(2.5) }
const index: Reading = { id: 9, frame: 42, low: 0, high: 0, shape: [2], data: Int32Array.of(-3, 5) }

describe('records', () => {
  it('are read as they were written, one after the other', () => {
    expect(decode(encode([picture, numbers, index]))).toEqual([picture, numbers, index])
  })

  it('stand in 4 byte steps, as documented', () => {
    const message = encode([picture])
    expect(message.byteLength).toBe(20 + 8 + 8)
    const bytes = new DataView(message)
    expect([bytes.getUint32(0, true), bytes.getUint32(4, true), bytes.getUint8(8), bytes.getUint8(9)]).toEqual([7, 40, 0, 2])
    expect([bytes.getUint32(20, true), bytes.getUint32(24, true), bytes.getUint8(29)]).toEqual([2, 3, 51])
  })

  it('give numbers between their extremes', () => {
    expect([...asNumbers(picture)].map((value) => Math.round(value * 100) / 100)).toEqual([-1, -0.6, -0.2, 0.2, 0.6, 1])
    expect(asNumbers(index)).toBe(index.data)
  })

  it('may hold no values at all', () => {
    const nothing: Reading = { id: 1, frame: 0, low: 0, high: 0, shape: [0], data: new Float32Array(0) }
    expect(decode(encode([nothing]))).toEqual([nothing])
  })

  it('that end too early are refused', () => {
    const message = encode([picture])
    expect(() => decode(message.slice(0, 12))).toThrow('a record\'s header ends after byte 12')
    expect(() => decode(message.slice(0, 24))).toThrow('a record\'s sizes end after byte 24')
    expect(() => decode(message.slice(0, 30))).toThrow('a record\'s data end after byte 30')
  })

  it('of another type are refused', () => {
    const message = encode([picture])
    new DataView(message).setUint8(8, 3)
    expect(() => decode(message)).toThrow('a record has data of type 3; this page knows 0, 1 and 2')
  })
})
