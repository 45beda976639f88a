import { describe, expect, it } from 'vitest'
import { pools, roman } from '../../fixture/nets'
import { graphOf } from '../../src/net/graph'
import { tells } from '../../src/net/kinds'
import { lossesOf, nowOf, seenOf } from '../../src/panels/charts/now'
import { Buffers } from '../../src/panels/charts/buffers'
import { largest, nameOf, rolloutOf } from '../../src/panels/inspector/overview'

describe('the net as a whole', () => {
  it('lists the blocks with most parameters', () => {
    const found = largest(roman().blocks, 3)
    expect(found.map(({ path }) => path)).toEqual(['hidden3', 'hidden2', 'hidden1'])
    expect(found[0]!.size).toBeGreaterThan(found[1]!.size)
  })

  it('is called after the experiment where the document gives it no name', () => {
    expect(nameOf({ ...roman(), name: 'net' }, 'roman-numerals/3')).toBe('roman-numerals')
    expect(nameOf(roman(), 'some/3')).toBe('roman-numerals')
  })

  it('says how its edges are delayed', () => {
    expect(rolloutOf({ ...roman(), rollout: { default: 'streaming', align: true } })).toBe('streaming, aligned')
    expect(rolloutOf({ ...roman(), rollout: { default: 2 } })).toBe('delay 2')
  })
})

describe('losses of every frame', () => {
  it('are of blocks that end the net with one number in training', () => {
    expect(lossesOf(roman())).toEqual(['loss'])
    expect(lossesOf({ ...roman(), outputs: ['prediction'] })).toEqual([])
  })

  it('are known once they were seen', () => {
    const buffers = new Buffers()
    expect(nowOf(buffers, 'loss')).toBeNull()
    buffers.push('now/loss', 3, 0.5)
    expect([seenOf(buffers), nowOf(buffers, 'loss')?.last]).toEqual([['loss'], 0.5])
  })
})

it('colours are offered that tell blocks apart', () => {
  const alone = { ...roman(), blocks: roman().blocks.map((block) => ({ ...block, tags: [], process: null })) }
  expect([tells(graphOf(pools()), 'tag'), tells(graphOf(pools()), 'process')]).toEqual([true, true])
  expect([tells(graphOf(alone), 'tag'), tells(graphOf(alone), 'process'), tells(null, 'type')]).toEqual([false, false, true])
})
