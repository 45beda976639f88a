/** ELK's layered layout, in its own worker: frames in frames, edges routed around nodes. For nets of hundreds of blocks. */

import ELK, { type ElkNode } from 'elkjs/lib/elk-api.js'
import elkWorker from 'elkjs/lib/elk-worker.min.js?url'
import { FRAME_HEAD, FRAME_PAD, LAYER_GAP, NODE_GAP, type LayoutAnswer, type LayoutRequest } from './types'

let elk: InstanceType<typeof ELK> | null = null
let isWarm = false

/** Whether its worker has read its program, which takes longer than the layout of a small net. */
export function elkIsWarm(): boolean {
  return isWarm
}

export async function byElk(request: LayoutRequest): Promise<LayoutAnswer> {
  const began = performance.now()
  elk ??= new ELK({ workerFactory: () => new Worker(elkWorker) })
  const root = await elk.layout(elkGraph(request))
  isWarm = true
  return { ...answered(root, request), took: performance.now() - began }
}

/** Stops a layout that takes too long; the next starts another worker. */
export function stopElk(): void {
  elk?.terminateWorker()
  elk = null
  isWarm = false
}

export function elkGraph(request: LayoutRequest): ElkNode {
  const isDown = request.direction === 'down'
  const shared = {
    'elk.layered.spacing.nodeNodeBetweenLayers': String(LAYER_GAP),
    'elk.layered.spacing.edgeNodeBetweenLayers': '14',
    'elk.layered.spacing.edgeEdgeBetweenLayers': '9',
    'elk.spacing.nodeNode': String(NODE_GAP),
    'elk.spacing.edgeNode': '14',
    'elk.spacing.edgeEdge': '9',
    'elk.spacing.componentComponent': '30',
    'elk.padding': `[top=${FRAME_HEAD + 6},left=${FRAME_PAD},bottom=${FRAME_PAD},right=${FRAME_PAD}]`,
  }
  const frames: ElkNode[] = Array.from(request.frameParents, (_, n) => ({ id: `f${n}`, children: [], layoutOptions: shared }))
  const root: ElkNode = {
    id: 'root',
    children: [],
    edges: [],
    layoutOptions: {
      ...shared,
      'elk.algorithm': 'layered',
      'elk.direction': isDown ? 'DOWN' : 'RIGHT',
      'elk.aspectRatio': String(request.aspect),
      'elk.hierarchyHandling': 'INCLUDE_CHILDREN',
      'elk.edgeRouting': 'ORTHOGONAL',
      'elk.layered.nodePlacement.strategy': 'BRANDES_KOEPF',
      'elk.layered.nodePlacement.favorStraightEdges': 'true',
      'elk.layered.cycleBreaking.strategy': 'MODEL_ORDER',
      'elk.layered.considerModelOrder.strategy': 'PREFER_NODES',
      'elk.layered.mergeEdges': 'false',
      'elk.padding': '[top=0,left=0,bottom=0,right=0]',
      'elk.json.edgeCoords': 'ROOT',
      'elk.json.shapeCoords': 'ROOT',
      ...(frames.length ? {} : wrapping(request)),
    },
  }
  const within = (frame: number) => (frame < 0 ? root : frames[frame]!).children!
  const put = new Set<number>()
  const putFrame = (frame: number) => {
    if (frame < 0 || put.has(frame)) return
    put.add(frame)
    putFrame(request.frameParents[frame]!)
    within(request.frameParents[frame]!).push(frames[frame]!)
  }
  // in the order of the net, which ELK keeps where it can, and by which it tells forward from backward
  request.frameOf.forEach((frame, n) => {
    putFrame(frame)
    within(frame).push({ id: `n${n}`, width: request.widths[n]!, height: request.heights[n]! })
  })
  root.edges = Array.from(request.sources, (source, n) => ({
    id: `e${n}`,
    sources: [`n${source}`],
    targets: [`n${request.targets[n]!}`],
  }))
  return root
}

/** A long chain goes on in further rows, which ELK does for graphs without frames. */
function wrapping(request: LayoutRequest): Record<string, string> {
  if (request.widths.length < 14 || request.sources.length > 1.35 * request.widths.length) return {}
  return { 'elk.layered.wrapping.strategy': 'MULTI_EDGE', 'elk.layered.wrapping.additionalEdgeSpacing': '18' }
}

function answered(root: ElkNode, request: LayoutRequest): Omit<LayoutAnswer, 'took'> {
  const count = request.widths.length
  const x = new Float32Array(count)
  const y = new Float32Array(count)
  const frames = new Float32Array(4 * request.frameParents.length)
  const paths: Float32Array[] = Array.from({ length: request.sources.length }, () => new Float32Array())
  const visit = (node: ElkNode) => {
    const number = Number(node.id.slice(1))
    if (node.id.startsWith('n')) [x[number], y[number]] = [node.x ?? 0, node.y ?? 0]
    else if (node.id.startsWith('f')) frames.set([node.x ?? 0, node.y ?? 0, node.width ?? 0, node.height ?? 0], 4 * number)
    node.children?.forEach(visit)
    for (const edge of node.edges ?? []) {
      const points = (edge.sections ?? []).flatMap((s) => [s.startPoint, ...(s.bendPoints ?? []), s.endPoint])
      const link = Number(edge.id.slice(1))
      paths[link] = Float32Array.from(points.flatMap((point) => [point.x, point.y]))
    }
  }
  visit(root)
  return { x, y, frames, paths, routed: true, width: root.width ?? 0, height: root.height ?? 0, engine: 'elk' }
}
