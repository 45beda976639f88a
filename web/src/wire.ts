/** The binary records of the socket: what a watch saw in one frame. Little-endian, each padded to four bytes. */

export type Values = Uint8Array | Float32Array | Int32Array

export interface Reading {
  /** The watch that asked. */
  id: number
  frame: number
  /** What the smallest and the greatest byte of `uint8` data stand for; the extremes of the data otherwise. */
  low: number
  high: number
  shape: number[]
  data: Values
}

const HEADER = 20

/** Every record of one message. Data are views of the message where its alignment allows, else copies. */
export function decode(message: ArrayBuffer): Reading[] {
  const view = new DataView(message)
  const readings: Reading[] = []
  let at = 0
  while (at < message.byteLength) {
    if (at + HEADER > message.byteLength) throw new RangeError(`a record's header ends after byte ${message.byteLength}`)
    const code = view.getUint8(at + 8)
    if (code > 2) throw new RangeError(`a record has data of type ${code}; this page knows 0, 1 and 2`)
    const rank = view.getUint8(at + 9)
    const start = at + HEADER + 4 * rank
    if (start > message.byteLength) throw new RangeError(`a record's sizes end after byte ${message.byteLength}`)
    const shape = Array.from({ length: rank }, (_, n) => view.getUint32(at + HEADER + 4 * n, true))
    const count = shape.reduce((product, size) => product * size, 1)
    const end = start + count * (code === 0 ? 1 : 4)
    if (end > message.byteLength) throw new RangeError(`a record's data end after byte ${message.byteLength}`)
    readings.push({
      id: view.getUint32(at, true),
      frame: view.getUint32(at + 4, true),
      low: view.getFloat32(at + 12, true),
      high: view.getFloat32(at + 16, true),
      shape,
      data: values(message, code, start, count),
    })
    at = (end + 3) & ~3
  }
  return readings
}

function values(message: ArrayBuffer, code: number, start: number, count: number): Values {
  switch (code) {
    case 0:
      return new Uint8Array(message, start, count)
    case 1:
      return new Float32Array(message, start, count)
    default:
      return new Int32Array(message, start, count)
  }
}

/** The reverse of `decode`, for tests and the fixture. */
export function encode(readings: Reading[]): ArrayBuffer {
  const sizes = readings.map((reading) => (HEADER + 4 * reading.shape.length + reading.data.byteLength + 3) & ~3)
  const message = new ArrayBuffer(sizes.reduce((sum, size) => sum + size, 0))
  const view = new DataView(message)
  let at = 0
  readings.forEach((reading, number) => {
    const code = reading.data instanceof Uint8Array ? 0 : reading.data instanceof Float32Array ? 1 : 2
    view.setUint32(at, reading.id, true)
    view.setUint32(at + 4, reading.frame, true)
    view.setUint8(at + 8, code)
    view.setUint8(at + 9, reading.shape.length)
    view.setFloat32(at + 12, reading.low, true)
    view.setFloat32(at + 16, reading.high, true)
    reading.shape.forEach((size, n) => view.setUint32(at + HEADER + 4 * n, size, true))
    const { buffer, byteOffset, byteLength } = reading.data
    new Uint8Array(message, at + HEADER + 4 * reading.shape.length).set(new Uint8Array(buffer, byteOffset, byteLength))
    at += sizes[number]!
  })
  return message
}

/** A reading's values as numbers: bytes are put back between `low` and `high`. */
export function asNumbers(reading: Reading): Float32Array | Int32Array {
  if (!(reading.data instanceof Uint8Array)) return reading.data
  const step = (reading.high - reading.low) / 255
  return Float32Array.from(reading.data, (byte) => reading.low + byte * step)
}
