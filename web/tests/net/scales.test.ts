import { describe, expect, it } from 'vitest'
import { colour, type Scale } from '../../src/net/paint/scales'
import type { Reading } from '../../src/wire'

/** The colours of a map of four values, as the source sends it: a constant one is all zeros. */
function painted(values: number[], scale: Scale): number[] {
  const [low, high] = [Math.min(...values), Math.max(...values)]
  const data = Uint8Array.from(values, (value) => (high > low ? Math.round((255 * (value - low)) / (high - low)) : 0))
  const reading: Reading = { id: 1, frame: 1, low, high, shape: [2, 2], data }
  const pixels = new Uint32Array(4)
  colour(reading, pixels, scale, false)
  return [...pixels]
}

const brightness = (pixel: number) => (pixel & 255) + ((pixel >> 8) & 255) + ((pixel >> 16) & 255)

describe('a map whose values are all equal', () => {
  it('has the colour that its value has beside others', () => {
    expect(painted([3, 3, 3, 3], 'values')[0]).toBe(painted([0, 1, 2, 3], 'values')[3])
    expect(painted([0, 0, 0, 0], 'values')[0]).toBe(painted([0, 1, 2, 3], 'values')[0])
    expect(painted([-3, -3, -3, -3], 'values')[0]).toBe(painted([-3, 0, 1, 3], 'values')[0])
  })

  it('is white as a picture, and black only where nothing is seen', () => {
    expect(painted([1, 1, 1, 1], 'grey').map(brightness)).toEqual([765, 765, 765, 765])
    expect(painted([0, 0, 0, 0], 'grey').map(brightness)).toEqual([0, 0, 0, 0])
  })
})
