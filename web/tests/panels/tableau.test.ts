import { describe, expect, it } from 'vitest'
import { atOnce, framesDone, keyOf, lastStep, linked, past, stateOf, wiresOf, type RolloutInfo } from '../../src/panels/rollout/tableau'

/** x -> a -> b, sequential: two update steps in every frame. */
const SEQUENTIAL: RolloutInfo = {
  inference_factor: 2,
  delays: { 'x->a': 0, 'a->b': 0 },
  tableau: { x: [0, 0, 0], a: [0, 1, 1], b: [0, 2, 2] },
  first_response: { a: 1, b: 1 },
}

/** The same with a delay on a -> b. */
const STREAMING: RolloutInfo = {
  inference_factor: 1,
  delays: { 'x->a': 0, 'a->b': 1 },
  tableau: { x: [0, 0, 0], a: [0, 1, 1], b: [0, 1, 2] },
  first_response: { a: 1, b: 2 },
}

it('tells how cells stand after an update step', () => {
  expect([0, 1, 2, 3].map((step) => stateOf(step, 2))).toEqual(['given', 'done', 'now', 'waits'])
})

it('counts what is done, and what works at once', () => {
  expect(lastStep([SEQUENTIAL, STREAMING])).toBe(2)
  expect([0, 1, 2].map((now) => framesDone(SEQUENTIAL, now))).toEqual([0, 0, 2])
  expect([0, 1, 2].map((now) => framesDone(STREAMING, now))).toEqual([0, 1, 2])
  expect([0, 1, 2].map((now) => atOnce(STREAMING, now))).toEqual([0, 3, 1])
})

describe('what a cell waits for', () => {
  const wires = wiresOf(STREAMING)

  it('lies a delay before it', () => {
    expect(linked(wires, { block: 'b', frame: 2 }, 2).reads).toEqual([{ block: 'a', frame: 1 }])
    expect(linked(wires, { block: 'a', frame: 1 }, 2).readBy).toEqual([{ block: 'b', frame: 2 }])
    expect(linked(wires, { block: 'a', frame: 2 }, 2).readBy).toEqual([])
  })

  it('is followed back to the inputs', () => {
    expect([...past(wires, { block: 'b', frame: 2 })].sort()).toEqual(['1 a', '1 x', '2 b'].sort())
    expect(past(wiresOf({ ...STREAMING, delays: { 'a->a': 0 } }), { block: 'a', frame: 1 }).size).toBe(1)
  })

  it('knows edges into one of several inputs', () => {
    expect(wiresOf({ ...STREAMING, delays: { 'a->b#1': 3 } })).toEqual([{ from: 'a', to: 'b', delay: 3 }])
  })
})

it('calls cells by frame and block', () => {
  expect(keyOf({ block: 'a', frame: 3 })).toBe('3 a')
})
