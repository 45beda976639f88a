import { describe, expect, it } from 'vitest'
import { Fan } from '../../src/panels/inspector/fan'
import { fromPixels, nested, readNpy, sides } from '../../src/panels/inspector/pictures'
import { indexOf, packed, rectangle, region, unit } from '../../src/panels/inspector/regions'
import { baseOf, covers, endOf, inForceOn, wordsOf } from '../../src/panels/inspector/targets'
import { bounds, layoutOf, nearSquare, ofInput, paint, pixelSize, placeAt, sequential, table } from '../../src/panels/inspector/tiles'
import { targetOf } from '../../src/panels/inspector/touch'

const row = (value: number) => Float32Array.from({ length: 9 }, (_, n) => value + n)

describe('Fan', () => {
  it('keeps rows of nine and their extent', () => {
    const fan = new Fan()
    fan.push(1, row(0))
    fan.push(2, row(-5))
    fan.push(3, [1, 2, 3])
    expect(fan.length).toBe(2)
    expect(fan.extent).toEqual([-5, 8])
  })

  it('drops later frames after going back', () => {
    const fan = new Fan()
    for (const frame of [10, 20, 30]) fan.push(frame, row(frame))
    fan.push(15, row(1))
    expect(fan.frames).toEqual([10, 15])
  })

  it('thins its older half when it is full', () => {
    const fan = new Fan(8)
    for (let frame = 0; frame < 9; frame += 1) fan.push(frame, row(frame))
    expect(fan.frames).toEqual([0, 2, 4, 5, 6, 7, 8])
    expect(fan.rows.length).toBe(fan.frames.length)
  })

  it('takes what was kept of earlier frames, and what comes after, as rows with their frames', () => {
    const fan = new Fan()
    fan.pushRows([10, ...row(0), 20, ...row(1)])
    fan.pushRows([30, ...row(2)])
    expect(fan.frames).toEqual([10, 20, 30])
    expect([...fan.last!]).toEqual([...row(2)])
  })

  it('has no extent without numbers', () => {
    const fan = new Fan()
    fan.push(1, row(NaN))
    expect(fan.extent).toBeNull()
  })
})

describe('layout of maps', () => {
  it.each([
    [[10], { count: 1, width: 5, height: 2 }],
    [[4, 6], { count: 1, width: 6, height: 4 }],
    [[16, 8, 8], { count: 16, columns: 4, rows: 4 }],
    [[1, 28, 28], { count: 1, width: 28, height: 28 }],
    [[32, 16, 5, 5], { count: 32, width: 5, height: 5 }],
  ])('of %j', (shape, expected) => {
    expect(layoutOf(shape)).toMatchObject(expected)
  })

  it('has a row for each filter where all inputs are shown', () => {
    expect(layoutOf([6, 3, 5, 5], 'all')).toMatchObject({ count: 18, columns: 3, rows: 6 })
  })

  it('finds the place below a pixel, and none on a gap', () => {
    const layout = layoutOf([4, 3, 3])
    expect(pixelSize(layout)).toEqual([7, 7])
    expect(placeAt(layout, 5, 2)).toEqual({ map: 1, row: 2, column: 1 })
    expect(placeAt(layout, 3, 0)).toBeNull()
    expect(placeAt(layout, 7, 0)).toBeNull()
    expect(placeAt(layoutOf([3, 3, 3]), 6, 6)).toBeNull()
  })

  it('takes a divisor for a near-square where one is near', () => {
    expect([64, 10, 512, 7].map(nearSquare)).toEqual([8, 5, 32, 3])
  })

  it('averages or chooses inputs of filters', () => {
    const weights = [1, 2, 3, 4, 5, 6, 7, 8] // [2, 2, 1, 2]
    expect([...(ofInput(weights, [2, 2, 1, 2], 'mean') as Float32Array)]).toEqual([2, 3, 6, 7])
    expect([...(ofInput(weights, [2, 2, 1, 2], 1) as Float32Array)]).toEqual([3, 4, 7, 8])
  })

  it('paints values between its bounds, and leaves gaps open', () => {
    const layout = layoutOf([2, 1, 2])
    const [width, height] = pixelSize(layout)
    const pixels = new Uint8ClampedArray(width * height * 4)
    paint(pixels, [0, 1, NaN, 0.5], layout, table(sequential), [0, 1])
    const at = (x: number, y: number) => [...pixels.subarray(4 * (y * width + x), 4 * (y * width + x) + 4)]
    expect(at(0, 0)).toEqual([11, 16, 33, 255])
    expect(at(1, 0)).toEqual([235, 247, 200, 255])
    expect(pixels.filter((_, n) => n % 4 === 3 && pixels[n] === 0).length).toBeGreaterThan(0)
    expect([...pixels].join()).toContain('255,0,255,255')
  })

  it('has bounds about 0 for what has both signs', () => {
    expect(bounds([-1, 3], true)).toEqual([-3, 3])
    expect(bounds([2, 2], false)).toEqual([0, 2])
    expect(bounds([1, 8], false)).toEqual([0, 8])
    expect(bounds([7, 8], false)).toEqual([7, 8])
    expect(bounds([0, 0], false)).toEqual([0, 1])
    expect(bounds([NaN], false)).toEqual([0, 1])
  })

  it('is lighter with every step of the palette', () => {
    const light = ([r, g, b]: readonly number[]) => 0.2126 * r! + 0.7152 * g! + 0.0722 * b!
    const levels = Array.from({ length: 64 }, (_, n) => light(sequential(n / 63)))
    expect(levels.every((level, n) => n === 0 || level > levels[n - 1]!)).toBe(true)
  })
})

describe('targets', () => {
  const maps = layoutOf([16, 8, 8])
  const vector = layoutOf([64])

  it('name units and regions as commands do', () => {
    expect(unit('hidden1', [3, 4, 5])).toBe('hidden1[3, 4, 5]')
    expect(region('hidden1', [16, 8, 8], 2, rectangle({ row: 5, column: 1 }, { row: 2, column: 3 }), maps)).toBe('hidden1[2, 2:6, 1:4]')
    expect(region('hidden1', [16, 8, 8], null, rectangle({ row: 0, column: 0 }, { row: 1, column: 1 }), maps)).toBe('hidden1[:, 0:2, 0:2]')
    expect(indexOf([64], vector, { map: 0, row: 2, column: 3 })).toEqual([19])
    expect(indexOf([10], layoutOf([10]), { map: 0, row: 1, column: 4 })).toEqual([9])
  })

  it('pack painted places in order, the first one highest', () => {
    expect(atob(packed([1, 0, 0, 0, 0, 0, 0, 1, 1])).split('').map((byte) => byte.charCodeAt(0))).toEqual([0b10000001, 0b10000000])
  })

  it('stand for what is marked', () => {
    expect(targetOf('h', [16, 8, 8], { layout: maps, unit: { map: 1, row: 2, column: 3 } }, false)).toEqual({ target: 'h[1, 2, 3]' })
    expect(targetOf('h', [16, 8, 8], null, false)).toEqual({ target: 'h' })
    const brush = new Uint8Array(16 * 64)
    brush[64] = 1 // map 1, first place
    const one = targetOf('h', [16, 8, 8], { layout: maps, brush }, false)
    expect(one).toEqual({ target: 'h', mask: { shape: [16, 8, 8], bits: packed(brush) } })
    const all = targetOf('h', [16, 8, 8], { layout: maps, brush }, true) as { mask: { bits: string } }
    expect(atob(all.mask.bits).split('').filter((byte) => byte !== '\0').length).toBe(16)
  })

  it('are found among what is in force', () => {
    const list = [
      { kind: 'lesion', target: 'hidden1[3]' },
      { kind: 'clamp', target: 'hidden1', value: 0.5 },
      { kind: 'lesion', target: 'hidden10' },
      { kind: 'lesion', target: 'a->b' },
    ]
    expect(baseOf('a->b')).toBe('a->b')
    expect(inForceOn(list, 'hidden1').map((one) => one.target)).toEqual(['hidden1[3]', 'hidden1'])
    expect(wordsOf(list[1]!)).toBe('clamp 0.5')
    expect(endOf({ kind: 'hold', target: 'net/x/weight' })).toBe('release net/x/weight')
    expect(endOf(list[0]!)).toBe('restore hidden1[3]')
    expect(endOf({ kind: 'lesion', target: 'h (2 of 8 units)', block: 'h', mask: { shape: [8], bits: 'gA==' } })).toBe('restore h mask={"shape":[8],"bits":"gA=="}')
  })

  it('covers addresses as patterns do', () => {
    expect(covers('net/a/*', 'net/a/weight')).toBe(true)
    expect(covers('net/*', 'net/a/weight')).toBe(false)
    expect(covers('net/**', 'net/a/weight')).toBe(true)
    expect(covers('net/a', 'net/a/weight')).toBe(true)
    expect(covers('net/a', 'net/ab/weight')).toBe(false)
  })
})

describe('pictures', () => {
  const npy = (descr: string, shape: string, data: ArrayBufferView, fortran = 'False') => {
    const header = `{'descr': '${descr}', 'fortran_order': ${fortran}, 'shape': (${shape}), }`.padEnd(117) + '\n'
    const file = new Uint8Array(10 + header.length + data.byteLength)
    file.set([0x93, ...'NUMPY'].map((letter) => (typeof letter === 'number' ? letter : letter.charCodeAt(0))))
    file.set([1, 0, header.length & 255, header.length >> 8], 6)
    file.set(new TextEncoder().encode(header), 10)
    file.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), 10 + header.length)
    return file.buffer
  }

  it('reads arrays of NumPy', () => {
    const array = readNpy(npy('<f4', '2, 3', Float32Array.from([1, 2, 3, 4, 5, 6])))
    expect(array.shape).toEqual([2, 3])
    expect([...array.values]).toEqual([1, 2, 3, 4, 5, 6])
    expect([...readNpy(npy('|u1', '3,', Uint8Array.from([7, 8, 9]))).values]).toEqual([7, 8, 9])
    expect([...readNpy(npy('<i8', '2,', BigInt64Array.from([-1n, 2n]))).values]).toEqual([-1, 2])
  })

  it('says why it cannot read one', () => {
    expect(() => readNpy(new TextEncoder().encode('no array at all').buffer)).toThrow('is no .npy file')
    expect(() => readNpy(npy('<f4', '2, 3', new Float32Array(6), 'True'))).toThrow('Fortran order')
    expect(() => readNpy(npy('<f4', '2, 3', new Float32Array(2)))).toThrow('ends before its array does')
    expect(() => readNpy(npy('<c8', '1,', new Float32Array(2)))).toThrow('kind that this page cannot read')
  })

  it('turns pixels into values of the shape of a block', () => {
    const pixels = [255, 255, 255, 255, 0, 0, 0, 255]
    expect([...fromPixels(pixels, [1, 1, 2], 0, 1)].map((value) => Math.round(value))).toEqual([1, 0])
    expect([...fromPixels([255, 0, 51, 255], [3, 1, 1], 0, 1)].map((value) => Number(value.toFixed(3)))).toEqual([1, 0, 0.2])
    expect([...fromPixels(pixels, [1, 1, 2], -1, 1)].map((value) => Math.round(value))).toEqual([1, -1])
  })

  it('nests values, and knows what is a picture', () => {
    expect(nested([1, 2, 3, 4], [1, 2, 2])).toEqual([[[1, 2], [3, 4]]])
    expect(sides([3, 32, 24])).toEqual({ width: 24, height: 32 })
    expect(sides([64])).toBeNull()
    expect(sides(null)).toBeNull()
  })
})
