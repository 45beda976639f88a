import { describe, expect, it } from 'vitest'
import { clusters, frameAt, shareOf, sortOf, ticks, windowOf } from '../../src/panels/journal/timeline'
import type { HistoryEntry } from '../../src/protocol'

const entry = (number: number, frame: number, text: string): HistoryEntry => ({
  number,
  frame,
  step: frame,
  text,
  command: { name: text.split(' ')[0]!, arguments: {} },
  undoable: true,
  undone: false,
  origin: 'browser',
})

it('shows all frames, or the newest', () => {
  expect(windowOf(5000, null)).toEqual({ first: 0, last: 5000 })
  expect(windowOf(5000, 1000)).toEqual({ first: 4000, last: 5000 })
  expect(windowOf(50, 1000)).toEqual({ first: 0, last: 50 })
  expect(windowOf(0, null)).toEqual({ first: 0, last: 1 })
})

it('comes back to the frame of a place', () => {
  const window = windowOf(5000, 1000)
  for (const frame of [4000, 4001, 4500, 5000]) expect(frameAt(shareOf(frame, window), window)).toBe(frame)
  expect(shareOf(10, window)).toBe(0)
})

describe('marks', () => {
  it('tell what a command is about', () => {
    expect(sortOf(entry(1, 1, 'rate main 0.1'))).toBe('learning')
    expect(sortOf(entry(1, 1, 'add net/a/bias 0.1'))).toBe('touch')
    expect(sortOf(entry(1, 1, 'add b {type: ReLU}'))).toBe('structure')
    expect(sortOf(entry(1, 1, 'evaluate val'))).toBe('record')
  })

  it('fall together where they would lie on each other, each sort by itself', () => {
    const entries = [entry(1, 100, 'lesion a'), entry(2, 101, 'lesion b'), entry(3, 101, 'rate main 1'), entry(4, 900, 'lesion c'), entry(5, 2000, 'lesion d')]
    const found = clusters(entries, { first: 0, last: 1000 }, 0.01)
    expect(found.map(({ sort, entries: own }) => [sort, own.map((one) => one.number)])).toEqual([
      ['touch', [1, 2]],
      ['learning', [3]],
      ['touch', [4]],
    ])
  })
})

it('has round frames on its axis', () => {
  expect(ticks({ first: 0, last: 1000 }, 5)).toEqual([0, 200, 400, 600, 800, 1000])
  expect(ticks({ first: 4030, last: 4130 }, 4)).toEqual([4050, 4100])
  expect(ticks({ first: 0, last: 1 }, 10)).toEqual([0, 1])
})
