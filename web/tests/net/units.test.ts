import { describe, expect, it } from 'vitest'
import { extent, nearSquare } from '../../src/net/cards'
import { commandOn, decodeMask, Drawn, encodeMask, sizeOf, unitAt } from '../../src/net/units'

describe('the tiles of a thumbnail', () => {
  it('lie as the server lays them', () => {
    expect([64, 32, 10, 1].map(nearSquare)).toEqual([[8, 8], [4, 8], [3, 4], [1, 1]])
    expect(extent([32, 4, 4])).toEqual({ rows: 16, columns: 32, tile: [4, 4], across: 8 })
    expect(extent([1, 32, 32])).toEqual({ rows: 32, columns: 32, tile: null, across: 1 })
    expect(extent([16, 3, 5, 5])).toEqual({ rows: 80, columns: 15, tile: [5, 5], across: 3 })
  })

  it('name the unit at every pixel once', () => {
    const shape = [6, 4, 5]
    const { rows, columns } = sizeOf(shape, 'all')
    const found = new Set<string>()
    for (let row = 0; row < rows; row++) for (let column = 0; column < columns; column++) found.add(String(unitAt(shape, 'all', row, column)))
    expect(found.size).toBe(120)
    expect(unitAt(shape, 'all', 4, 0)).toEqual([3, 0, 0])
  })

  it('name no unit beside the last one', () => {
    expect(unitAt([10], 'all', 2, 3)).toBeNull()
    expect(unitAt([10], 'all', 2, 1)).toEqual([9])
    expect(unitAt([5, 2, 2], 'all', 2, 4)).toBeNull()
    expect(unitAt([3, 4, 4], 'mean', 1, 1)).toBeNull()
    expect(unitAt([3, 4, 4], 2, 1, 3)).toEqual([2, 1, 3])
  })
})

describe('masks', () => {
  it('hold eight units in a byte, the first one highest', () => {
    expect(encodeMask([8], Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 1))).toEqual({ shape: [8], bits: 'gQ==' })
  })

  it('are read as they were written', () => {
    const marked = Uint8Array.from({ length: 77 }, (_, n) => (n * n) % 3 === 1 ? 1 : 0)
    expect(decodeMask(encodeMask([7, 11], marked))).toEqual(marked)
  })
})

describe('commands on what was drawn', () => {
  it('name a single unit by its indices', () => {
    const drawn = new Drawn([16, 8, 8], 'all')
    drawn.mark(9, 10)
    expect(commandOn('hidden1', 'lesion', drawn, 0)).toBe('lesion hidden1[5, 1, 2]')
    expect(commandOn('hidden1', 'clamp', drawn, 0.5)).toBe('clamp hidden1[5, 1, 2] 0.5')
  })

  it('send a mask for more', () => {
    const drawn = new Drawn([4], 'all')
    drawn.markBox({ top: 0, left: 0, bottom: 0, right: 1 })
    expect(commandOn('out', 'lesion', drawn, 0)).toBe('lesion out mask={shape: [4], bits: "wA=="}')
  })

  it('mean every channel where the mean was drawn on', () => {
    const drawn = new Drawn([3, 2, 2], 'mean')
    drawn.mark(0, 1)
    expect(commandOn('h', 'lesion', drawn, 0)).toBe('lesion h mask={shape: [2, 2], bits: "QA=="}')
  })
})
