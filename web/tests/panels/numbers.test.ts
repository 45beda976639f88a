import { describe, expect, it } from 'vitest'
import { brief, bytes, duration, exact, parsed, shapeText, sizeText, whole } from '../../src/panels/numbers'

describe('brief', () => {
  it.each([
    [0, '0'],
    [0.001, '0.001'],
    [0.00123456, '0.00123'],
    [-2.5, '−2.5'],
    [999.6, '1000'],
    [12345, '12.3 k'],
    [4.2e6, '4.2 M'],
    [3e-7, '3.0e−7'],
    [NaN, 'NaN'],
    [-Infinity, '−∞'],
    [null, '–'],
  ])('writes %s as %s', (value, text) => {
    expect(brief(value)).toBe(text)
  })
})

describe('exact and parsed', () => {
  it.each([0, 1, -0.5, 1e-7, 0.001, 123456.7, 3e12])('read %s back as it was', (value) => {
    expect(parsed(exact(value))).toBe(value)
  })

  it('take a comma and the minus of a typesetter', () => {
    expect(parsed(' 0,5 ')).toBe(0.5)
    expect(parsed('−3')).toBe(-3)
  })

  it.each(['', 'one', '1e', '1 2', 'inf', '--1'])('take %j for no number', (text) => {
    expect(parsed(text)).toBeNull()
  })
})

it('writes whole numbers, shapes, sizes and times as people read them', () => {
  expect(whole(1234567)).toBe('1\u202f234\u202f567')
  expect(shapeText([16, 5, 5])).toBe('16 × 5 × 5')
  expect(shapeText([])).toBe('scalar')
  expect(shapeText(null)).toBe('unknown')
  expect(bytes(1.5 * 1024 ** 3)).toBe('1.5 GiB')
  expect(duration(65)).toBe('1 min')
  expect(duration(3700)).toBe('1 h 1 min')
})

it('tells how many numbers a shape is of, where that is not the shape itself', () => {
  expect(sizeText([32, 16, 5, 5], 12800)).toBe('32 × 16 × 5 × 5 = 12\u202f800')
  expect(sizeText([16], 16)).toBe('16')
})
