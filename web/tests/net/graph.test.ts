import { describe, expect, it } from 'vitest'
import { modules, pools, roman } from '../../fixture/nets'
import { graphOf, visible } from '../../src/net/graph'
import { coloursOf, kindOf, wordOf, wordOfShown } from '../../src/net/kinds'
import { marksAt, marksOf } from '../../src/net/marks'
import { find } from '../../src/net/search'

describe('the graph', () => {
  it('has inputs, blocks and the edges between them', () => {
    const graph = graphOf(roman())
    expect(graph.leaves.map((leaf) => leaf.name).slice(0, 5)).toEqual(['image', 'label', 'onset', 'seen', 'target'])
    expect(graph.wires.length).toBe(roman().edges.length)
  })

  it('takes an edge from one of several outputs as one from their block', () => {
    const description = roman()
    description.edges[0]!.from = 'image[1]'
    expect(graphOf(description).wires.length).toBe(description.edges.length)
  })

  it('makes one link of the wires between a collapsed module and its reader', () => {
    const graph = graphOf(modules())
    const shown = visible(graph, new Set(['stage1', 'stage2', 'stage3', 'encoder']))
    expect(shown.nodes.map((node) => node.id)).toEqual(['image', 'label', 'stage1', 'stage2', 'stage3', 'flat', 'encoder', 'logits', 'loss'])
    const between = shown.links.filter((link) => shown.nodes[link.source]!.id === 'stage1')
    expect(between.map((link) => link.wires.length)).toEqual([2])
  })

  it('shows the last block that a collapsed module sends out', () => {
    const graph = graphOf(modules())
    const node = visible(graph, new Set(['stage1'])).nodes.find((one) => one.id === 'stage1')!
    expect(node.kind === 'module' && node.output?.path).toBe('stage1/unit3/relu2')
  })
})

describe('colours', () => {
  it('tells kinds of blocks by their types', () => {
    const kinds = Object.fromEntries(graphOf(pools()).leaves.map((leaf) => [leaf.path, kindOf(leaf)]))
    expect(kinds).toMatchObject({ image: 'input', v1: 'state', v1_retina: 'weights', loss: 'metric' })
  })

  it('names processes', () => {
    const leaf = graphOf(pools()).leaves.find((one) => one.path === 'v1')!
    expect(wordOf(leaf, 'process')).toBe('process 1')
    expect(wordOf({ ...leaf, block: { ...leaf.block!, process: [0, 2] } }, 'process')).toBe('processes 0, 2')
    expect(wordOf({ ...leaf, block: { ...leaf.block!, process: null } }, 'process')).toBe('every process')
    expect(wordOf({ ...leaf, block: { ...leaf.block!, process: null, partition: 'batch' } }, 'process')).toBe('all, by examples')
  })

  it('names no single process for a module of several', () => {
    const known = graphOf(modules())
    const [shown] = visible(known, new Set(known.modules.keys())).nodes.filter((node) => node.kind === 'module')
    const leaves = known.leaves.map((leaf) => ({ ...leaf, block: leaf.block && { ...leaf.block, process: leaf.index % 2 } }))
    const below = () => [...known.leaves.keys()]
    expect(wordOfShown(shown!, 'process', leaves, below)).toBe('several processes')
    expect(wordOfShown(shown!, 'process', leaves, () => [leaves.findIndex((leaf) => leaf.block?.process === 1)])).toBe('process 1')
  })

  it('gives different words different colours', () => {
    const found = coloursOf(['process 0', 'process 1', 'process 2'], 'process', false)
    expect(new Set([...found.values()].map((colour) => colour.solid)).size).toBe(3)
  })
})

describe('search', () => {
  const graph = graphOf(modules())

  it('has exact names first, then names that begin so', () => {
    const paths = find(graph, 'stage1').map((one) => one.path)
    expect(paths[0]).toBe('stage1')
    expect(paths).toContain('stage1/unit1/conv1')
  })

  it('wants all words, and knows types', () => {
    expect(find(graph, 'encoder attention').map((one) => one.path)).toEqual([1, 2, 3, 4].map((n) => `encoder/layer${n}/attention`))
    expect(find(graph, 'gelu').length).toBe(4)
    expect(find(graph, 'nothing like it')).toEqual([])
  })
})

describe('marks', () => {
  const graph = graphOf(modules())

  it('are on blocks, in part or whole, and on edges', () => {
    const marks = marksOf(graph, [
      { kind: 'lesion', target: 'logits[3]', block: 'logits', units: 1, of: 10 },
      { kind: 'clamp', target: 'flat', block: 'flat', units: 10, of: 10, value: 0.123456 },
      { kind: 'lesion', target: 'logits->loss', edge: { from: 'logits', to: 'loss', port: 0 } },
    ])
    expect(marks.leaves.get(graph.byPath.get('logits')!)).toEqual([{ kind: 'lesion', whole: false, text: 'lesion' }])
    expect(marks.leaves.get(graph.byPath.get('flat')!)).toEqual([{ kind: 'clamp', whole: true, text: 'clamp 0.123' }])
    expect([...marks.edges.keys()]).toEqual(['logits->loss'])
  })

  it('are shown in part on the collapsed module around their block', () => {
    const marks = marksOf(graph, [{ kind: 'lesion', target: 'stage1/unit1/conv1', block: 'stage1/unit1/conv1', units: 4, of: 4 }])
    expect(marksAt(graph, marks, new Set(['stage1']))).toEqual(new Map([['stage1', [{ kind: 'lesion', whole: false, text: 'lesion' }]]]))
  })

  it('are one for a closed module, and whole where all its blocks have it', () => {
    const graph = graphOf(modules())
    const lesioned = (paths: string[]) => marksAt(graph, marksOf(graph, paths.map((path) => ({ kind: 'lesion', target: path, units: 4, of: 4 }))), new Set(['stage1'])).get('stage1')
    const inside = graph.leaves.filter((leaf) => leaf.path.startsWith('stage1/')).map((leaf) => leaf.path)
    expect(lesioned(inside)).toEqual([{ kind: 'lesion', whole: true, text: 'lesion' }])
    expect(lesioned(inside.slice(1))).toEqual([{ kind: 'lesion', whole: false, text: 'lesion' }])
  })
})
