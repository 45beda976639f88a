import { beforeEach, describe, expect, it } from 'vitest'
import { modules, roman } from '../../fixture/nets'
import { cardOf } from '../../src/net/cards'
import { graphOf, visible } from '../../src/net/graph'
import { requestOf } from '../../src/net/layout'
import { layered } from '../../src/net/layout/layered'
import { savedLayout, saveLayout } from '../../src/net/layout/saved'
import type { LayoutRequest } from '../../src/net/layout/types'
import type { Description } from '../../src/protocol'

function asked(description: Description, aspect = 1.7): LayoutRequest {
  const shown = visible(graphOf(description), new Set())
  return requestOf(shown, shown.nodes.map(cardOf), 'right', aspect)
}

beforeEach(() => localStorage.clear())

describe('a remembered layout', () => {
  it('is that of an equal request, to a tenth of a pixel', () => {
    const answer = layered(asked(modules()))
    saveLayout(asked(modules()), answer)
    const found = savedLayout(asked(modules()))!
    answer.x.forEach((x, n) => expect(found.x[n]).toBeCloseTo(x, 1))
    answer.paths.forEach((path, n) => expect(found.paths[n]!.length).toBe(path.length))
    expect([found.routed, found.engine, found.frames.length]).toEqual([answer.routed, 'layered', answer.frames.length])
  })

  it('is of no other net, and of no other view', () => {
    saveLayout(asked(roman()), layered(asked(roman())))
    const [edge, ...edges] = roman().edges
    expect(savedLayout(asked(roman()))).not.toBeNull()
    expect(savedLayout(asked({ ...roman(), edges }))).toBeNull()
    expect(savedLayout(asked({ ...roman(), edges: [...edges, edge!] }))).toBeNull()
    expect(savedLayout(asked(roman(), 1))).toBeNull()
  })

  it('is forgotten when many others came after it', () => {
    for (let aspect = 1; aspect <= 9; aspect++) saveLayout(asked(roman(), aspect), layered(asked(roman(), aspect)))
    expect(savedLayout(asked(roman(), 1))).toBeNull()
    expect(savedLayout(asked(roman(), 9))).not.toBeNull()
  })

  it('is nothing where what is remembered cannot be read', () => {
    localStorage.setItem('rillnet.layouts', '{')
    expect(savedLayout(asked(roman()))).toBeNull()
  })
})
