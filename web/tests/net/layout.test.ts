import { describe, expect, it } from 'vitest'
import { modules, roman, wide } from '../../fixture/nets'
import { cardOf } from '../../src/net/cards'
import { collapsedAtFirst, graphOf, visible } from '../../src/net/graph'
import { requestOf } from '../../src/net/layout'
import { layered } from '../../src/net/layout/layered'
import { layersOf, ordered, spaced } from '../../src/net/layout/ranks'
import type { Direction, LayoutAnswer, LayoutRequest } from '../../src/net/layout/types'
import type { Description } from '../../src/protocol'

function laidOut(description: Description, direction: Direction = 'right', collapsed = new Set<string>()): [LayoutRequest, LayoutAnswer] {
  const shown = visible(graphOf(description), collapsed)
  const request = requestOf(shown, shown.nodes.map(cardOf), direction, 1.7)
  return [request, layered(request)]
}

function overlapping({ widths, heights }: LayoutRequest, { x, y }: LayoutAnswer): number {
  let count = 0
  for (let a = 0; a < x.length; a++) {
    for (let b = a + 1; b < x.length; b++) {
      const apart = x[a]! + widths[a]! <= x[b]! + 0.01 || x[b]! + widths[b]! <= x[a]! + 0.01 || y[a]! + heights[a]! <= y[b]! + 0.01 || y[b]! + heights[b]! <= y[a]! + 0.01
      if (!apart) count += 1
    }
  }
  return count
}

describe('the layered layout', () => {
  const cases: [string, Description][] = [
    ['roman numerals', roman()],
    ['nested modules', modules()],
    ['1,000 pools', wide(1000, false)],
    ['areas in areas', wide(300, true)],
  ]
  for (const [name, description] of cases) {
    for (const direction of ['right', 'down'] as const) {
      it(`lets no two blocks overlap: ${name}, ${direction}`, () => {
        const [request, answer] = laidOut(description, direction)
        expect(overlapping(request, answer)).toBe(0)
      })

      it(`keeps every block within its frame: ${name}, ${direction}`, () => {
        const [request, answer] = laidOut(description, direction)
        request.frameOf.forEach((frame, n) => {
          if (frame < 0) return
          const [left, top, width, height] = [...answer.frames.subarray(4 * frame, 4 * frame + 4)] as [number, number, number, number]
          expect(answer.x[n]!).toBeGreaterThanOrEqual(left)
          expect(answer.y[n]!).toBeGreaterThanOrEqual(top)
          expect(answer.x[n]! + request.widths[n]!).toBeLessThanOrEqual(left + width + 0.01)
          expect(answer.y[n]! + request.heights[n]!).toBeLessThanOrEqual(top + height + 0.01)
        })
      })

      it(`ends every link on the borders of its blocks: ${name}, ${direction}`, () => {
        const [request, { x, y, paths }] = laidOut(description, direction)
        paths.forEach((path, n) => {
          const [source, target] = [request.sources[n]!, request.targets[n]!]
          const [atX, atY] = [path[0]! - x[source]!, path[1]! - y[source]!]
          const [toX, toY] = [path.at(-2)! - x[target]!, path.at(-1)! - y[target]!]
          if (direction === 'right') {
            expect([atX, toX]).toEqual([expect.closeTo(request.widths[source]!, 2), expect.closeTo(0, 2)])
          } else {
            expect([atY, toY]).toEqual([expect.closeTo(request.heights[source]!, 2), expect.closeTo(0, 2)])
          }
        })
      })
    }
  }

  it('folds a long chain into rows that fit a screen', () => {
    const [, answer] = laidOut(modules())
    expect(answer.width / answer.height).toBeLessThan(6)
  })

  it('folds a layer of thousands into columns', () => {
    const description = wide(2000, false)
    description.edges = []
    const [, answer] = laidOut(description)
    expect(answer.height / answer.width).toBeLessThan(3)
  })

  it('is the same for the same net', () => {
    expect(laidOut(wide(200, true))[1].x).toEqual(laidOut(wide(200, true))[1].x)
  })

  it('places a net of one block and one of none', () => {
    const lone = { ...roman(), blocks: [], edges: [], inputs: roman().inputs.slice(0, 1) }
    expect(laidOut(lone)[1].x).toEqual(Float32Array.of(0))
    expect(laidOut({ ...lone, inputs: [] })[1].x.length).toBe(0)
  })
})

describe('ranks', () => {
  it('puts readers behind what they read, and turns links to earlier blocks', () => {
    const graph = { count: 4, sources: Int32Array.of(0, 1, 2, 3), targets: Int32Array.of(1, 2, 3, 1) }
    expect([...layersOf(graph)]).toEqual([0, 1, 2, 3])
  })

  it('puts an input beside its first reader', () => {
    const graph = { count: 4, sources: Int32Array.of(0, 2, 1), targets: Int32Array.of(2, 3, 3) }
    expect([...layersOf(graph)]).toEqual([0, 1, 1, 2])
  })

  it('undoes a crossing', () => {
    const graph = { count: 4, sources: Int32Array.of(0, 1), targets: Int32Array.of(3, 2) }
    expect(ordered(graph, Int32Array.of(0, 0, 1, 1), 4)).toEqual([[0, 1], [3, 2]])
  })

  it('spaces places by least squares', () => {
    expect([...spaced([0, 0], [10])]).toEqual([-5, 5])
    expect([...spaced([0, 100], [10])]).toEqual([0, 100])
    expect([...spaced([5, 0, 30], [10, 10])]).toEqual([-2.5, 7.5, 30])
  })
})

describe('what is shown at first', () => {
  it('opens modules of a depth while there is room', () => {
    const graph = graphOf(modules())
    expect(visible(graph, collapsedAtFirst(graph, 36)).nodes.length).toBe(18)
    expect(visible(graph, collapsedAtFirst(graph, 200)).nodes.length).toBe(graph.leaves.length)
    expect(visible(graph, collapsedAtFirst(graph, 3)).nodes.length).toBe(9)
  })
})
