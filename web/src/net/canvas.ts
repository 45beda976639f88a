/** Draws the net into a canvas: lays it out when it changes, paints when something moves, watches what is on screen. */

import { effect, signal } from '@preact/signals'
import type { Store } from '../session'
import { Camera, type Rect } from './camera'
import { visible, type Module, type Shown } from './graph'
import { wordOfShown, type Colour } from './kinds'
import { layOut, type LaidOut } from './layout'
import { marksAt, marksOf, type Mark } from './marks'
import type { Look } from './paint/look'
import { paintLinks } from './paint/links'
import { paintFarNames, paintFrames, paintNodes } from './paint/nodes'
import { paintMarks, paintSelection, type Pointed } from './paint/overlay'
import { palette } from './paint/palette'
import { numberText, paintAbsence, paintPicture } from './paint/pictures'
import { Tiles } from './paint/tiles'
import { Scene } from './scene'
import { chosenWord, collapsed, colourBy, coloursWith, direction, enlarged, graph, wanted } from './state'
import { Watching } from './watching'
import { addressOfLink } from './weights'

/** Nodes and links on screen up to which everything is painted in every frame; more are copied from tiles. */
const DIRECT = 420
/** Scale from which a block's name and caption can be read. */
const LEGIBLE = 0.56
/** Pixels on the right that the enlarged output covers. */
const ENLARGED = 456
/** Milliseconds in which one layout makes room for another. */
const FADE = 320
const NOTHING: Pointed = { node: null, link: null, frame: null }

export class NetCanvas {
  readonly camera = new Camera()
  readonly scene = signal<Scene | null>(null)
  readonly colours = signal(new Map<string, Colour>())
  readonly counts = signal(new Map<string, number>())
  readonly hovered = signal<Pointed>(NOTHING)
  readonly isLayingOut = signal(false)
  private readonly watching: Watching
  private readonly context: CanvasRenderingContext2D
  private readonly tiles: Tiles
  private look: Look | null = null
  private frameRequest = 0
  private staleTimer: ReturnType<typeof setTimeout> | undefined
  private shownId: string | null = null
  private layoutNumber = 0
  private reached = 0
  private readonly ends: (() => void)[] = []

  constructor(
    readonly canvas: HTMLCanvasElement,
    private readonly store: Store,
  ) {
    this.context = canvas.getContext('2d', { alpha: false })!
    this.watching = new Watching(store, this.camera, () => this.scene.peek(), {
      read: () => this.draw(),
      weighed: () => this.weighed(),
    })
    this.tiles = new Tiles((context, region, scale) => this.paintRegion(context, region, scale))
    const sizes = new ResizeObserver(() => this.resized())
    sizes.observe(canvas)
    this.resized() // before anything is laid out, which goes by the view's proportions
    this.ends.push(
      () => sizes.disconnect(),
      effect(() => void this.relaid()),
      effect(() => this.restyled()),
      effect(() => {
        void [this.camera.moved.value, store.selection.value, this.hovered.value]
        this.draw()
        this.watching.soon()
      }),
      effect(() => {
        if (wanted.value) this.reveal()
      }),
      effect(() => {
        void store.stream.value
        this.watching.again()
      }),
      effect(() => this.uncover()),
    )
  }

  close(): void {
    for (const end of this.ends) end()
    cancelAnimationFrame(this.frameRequest)
    clearTimeout(this.staleTimer)
    this.watching.close()
  }

  /** Paints in the next frame. */
  draw(): void {
    this.frameRequest ||= requestAnimationFrame((now) => {
      this.frameRequest = 0
      this.paint(now)
    })
  }

  /** The word that each shown node is coloured by. */
  words(): string[] {
    return this.look?.words ?? []
  }

  marksOf(id: string): Mark[] {
    return this.look?.marks.get(id) ?? []
  }

  /** The mean magnitude of a link's weight, in words; empty if unknown. */
  magnitude(link: number): string {
    const scene = this.scene.peek()
    const address = scene && addressOfLink(scene, link)
    const value = address ? this.watching.weights.magnitudes.get(address) : undefined
    return value === undefined ? '' : `mean |w| ${numberText(value)}`
  }

  fit(fly = true): void {
    const scene = this.scene.peek()
    if (scene) this.camera.fit(scene.bounds, { fly })
  }

  /** What is under a point of the screen. */
  at(x: number, y: number): Pointed {
    const scene = this.scene.peek()
    if (!scene) return NOTHING
    const [worldX, worldY] = this.camera.toWorld(x, y)
    const { scale } = this.camera
    const node = scene.nodeAt(worldX, worldY)
    if (node !== null) return { node, link: null, frame: null }
    const link = scale > 0.12 ? scene.linkAt(worldX, worldY, 6 / scale) : null
    if (link !== null) return { node: null, link, frame: null }
    return { node: null, link: null, frame: scene.frameHeadAt(worldX, worldY, Math.max(24, 18 / scale)) }
  }

  selected(): Pointed {
    const scene = this.scene.peek()
    const selection = this.store.selection.value
    if (!scene || !selection) return NOTHING
    if (selection.kind === 'edge') {
      const link = scene.shown.links.findIndex(({ wires }) =>
        wires.some((wire) => {
          const { from, to, port } = scene.graph.wires[wire]!.info
          return from === selection.from && to === selection.to && port === selection.port
        }),
      )
      return { ...NOTHING, link: link < 0 ? null : link }
    }
    const frame = scene.shown.frames.findIndex((module) => module.path === selection.path)
    if (frame >= 0) return { ...NOTHING, frame }
    return { ...NOTHING, node: scene.nodeOf(selection.path) }
  }

  // --- layout and looks -----------------------------------------------------------------------

  private async relaid(): Promise<void> {
    const known = graph.value
    const hidden = collapsed.value
    const way = direction.value
    const id = this.store.id.peek()
    const number = ++this.layoutNumber
    if (!known) {
      this.scene.value = null
      this.look = null
      this.draw()
      return
    }
    const shown = visible(known, hidden)
    const aspect = Math.round((4 * this.camera.width) / this.camera.height) / 4 || 1.75
    const revision = this.store.description.peek()?.revision
    const key = [id, revision, way, aspect, ...[...hidden].sort()].join('\n')
    this.isLayingOut.value = true
    try {
      const show = ({ layout, cards }: LaidOut, isFitted: boolean) => {
        if (number !== this.layoutNumber) return
        this.replace(new Scene(known, shown, cards, layout), isFitted)
        this.shownId = id
      }
      const isNew = id !== this.shownId
      let moves = -1
      const { layout, cards } = await layOut(key, shown, way, aspect, (found) => {
        show(found, isNew)
        moves = this.camera.moved.peek()
      })
      show({ layout, cards }, isNew && (moves < 0 || moves === this.camera.moved.peek()))
      performance.mark('net:laid-out', { detail: { engine: layout.engine, took: layout.took, nodes: cards.length } })
    } finally {
      if (number === this.layoutNumber) this.isLayingOut.value = false
    }
  }

  /** Shows another layout; what was under the pointer or selected stays where it was. */
  private replace(scene: Scene, isNew: boolean): void {
    const before = this.scene.peek()
    if (before && before.graph === scene.graph) fadeOut(this.canvas)
    const anchor = isNew ? null : anchorOf(before, scene, this.store.selection.peek())
    const { camera } = this
    const at = anchor && camera.toScreen(anchor.before.x, anchor.before.y)
    this.tiles.clear()
    this.hovered.value = NOTHING
    this.scene.value = scene
    if (anchor && at) camera.set(anchor.after.x - at[0] / camera.scale, anchor.after.y - at[1] / camera.scale, camera.scale)
    else camera.fit(scene.bounds)
    if (wanted.peek() && wanted.peek()!.number > this.reached) this.reveal()
  }

  private restyled(): void {
    const scene = this.scene.value
    const colours = palette.value
    if (!scene) return
    const by = colourBy.value
    const { leaves, modules } = scene.graph
    const below = (module: Module): number[] => [...module.leaves, ...module.children.flatMap((path) => below(modules.get(path)!))]
    const words = scene.shown.nodes.map((node: Shown) => wordOfShown(node, by, leaves, below))
    const counts = new Map<string, number>()
    for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1)
    const interventions = this.store.status.value?.interventions ?? []
    const marks = marksOf(scene.graph, interventions)
    const found = coloursWith(counts.keys())
    const look: Look = {
      scene,
      palette: colours,
      words,
      colours: found,
      chosen: chosenWord.value,
      marks: marksAt(scene.graph, marks, collapsed.peek()),
      edgeMarks: marks.edges,
      weights: this.watching.weights,
    }
    this.look = look
    this.colours.value = found
    this.counts.value = counts
    this.tiles.invalidate()
    this.draw()
  }

  private reveal(): void {
    const scene = this.scene.peek()
    const want = wanted.peek()
    const node = want && scene?.nodeOf(want.path)
    if (!want || !scene || this.isLayingOut.peek()) return
    this.reached = want.number
    const frame = scene.shown.frames.findIndex((module) => module.path === want.path)
    if (frame >= 0) this.camera.fit(scene.frame(frame), { fly: true })
    else if (node !== null && node !== undefined && !this.isInSight(scene.rect(node))) this.camera.reveal(scene.rect(node))
  }

  /** Whether a block is on screen whole, and large enough to be read. */
  private isInSight(rect: Rect): boolean {
    const { view, scale } = this.camera
    const isInside = rect.x >= view.x && rect.y >= view.y && rect.x + rect.width <= view.x + view.width && rect.y + rect.height <= view.y + view.height
    return isInside && scale > LEGIBLE
  }

  /** Moves the block that is shown large out from under its picture. */
  private uncover(): void {
    const path = enlarged.value
    const scene = this.scene.peek()
    const node = path === null ? null : scene?.nodeOf(path)
    if (!scene || node === null || node === undefined) return
    const rect = scene.rect(node)
    const [right] = this.camera.toScreen(rect.x + rect.width, rect.y)
    if (right > this.camera.width - ENLARGED) this.camera.reveal(rect, ENLARGED)
  }

  private weighed(): void {
    this.draw()
    this.staleTimer ??= setTimeout(() => {
      this.staleTimer = undefined
      this.tiles.invalidate()
      this.draw()
    }, 2000)
  }

  private resized(): void {
    const { clientWidth, clientHeight } = this.canvas
    const ratio = devicePixelRatio || 1
    const isFirst = this.camera.width <= 1
    this.canvas.width = Math.max(1, Math.round(clientWidth * ratio))
    this.canvas.height = Math.max(1, Math.round(clientHeight * ratio))
    this.camera.resize(clientWidth, clientHeight)
    if (isFirst) this.fit(false)
    if (this.look) this.paint(performance.now())
  }

  // --- painting -------------------------------------------------------------------------------

  private paint(now: number): void {
    const { context, camera, canvas, look } = this
    const ratio = devicePixelRatio || 1
    let isMoving = camera.advance(now)
    context.setTransform(1, 0, 0, 1, 0, 0)
    context.fillStyle = palette.peek().ground
    context.fillRect(0, 0, canvas.width, canvas.height)
    if (!look) return
    const { scene } = look
    const { view, scale } = camera
    const nodes = scene.nodesIn(view)
    const isDirect = nodes.length <= DIRECT && nodes.length + scene.linksIn(view).length <= DIRECT
    if (!isDirect) isMoving = this.tiles.draw(context, camera, ratio, now) || isMoving
    const unit = ratio * scale
    context.setTransform(unit, 0, 0, unit, -camera.x * unit, -camera.y * unit)
    if (isDirect) this.paintParts(context, view, scale)
    if (scale > 0.2) this.paintLive(nodes, scale)
    paintSelection(context, look, this.selected(), this.hovered.peek(), scale)
    paintMarks(context, look, nodes, scale)
    this.count()
    if (isMoving) this.draw()
  }

  private paintRegion(context: CanvasRenderingContext2D, region: Rect, scale: number): void {
    context.fillStyle = palette.peek().ground
    context.fillRect(region.x, region.y, region.width, region.height)
    this.paintParts(context, region, scale)
  }

  private paintParts(context: CanvasRenderingContext2D, region: Rect, scale: number): void {
    const look = this.look!
    const reach = 12 / scale
    const wide = { x: region.x - reach, y: region.y - reach, width: region.width + 2 * reach, height: region.height + 2 * reach }
    const frames = look.scene.framesIn(wide)
    paintFrames(context, look, frames, scale)
    paintLinks(context, look, look.scene.linksIn(wide), scale)
    paintNodes(context, look, look.scene.nodesIn(wide), scale)
    paintFarNames(context, look, frames, scale)
  }

  private paintLive(nodes: number[], scale: number): void {
    for (const node of nodes) {
      const shown = this.look!.scene.shown.nodes[node]!
      const leaf = shown.kind === 'leaf' ? shown.leaf : shown.output
      const live = leaf && this.watching.live.byLeaf.get(leaf.index)
      if (live && live.frame >= 0) paintPicture(this.context, this.look!, node, live, scale)
      else if (leaf?.block?.exclude.includes('train') && scale > 0.4) paintAbsence(this.context, this.look!, node)
    }
  }

  /** For tests that measure: how often it was drawn, and when first. */
  private count(): void {
    const counted = this.canvas as HTMLCanvasElement & { redraws?: number }
    if (!counted.redraws) performance.mark('net:first-picture')
    counted.redraws = (counted.redraws ?? 0) + 1
  }
}

/** Lets what is drawn now fade over what will be drawn next, so that eyes can follow. */
function fadeOut(canvas: HTMLCanvasElement): void {
  if (!canvas.width || !canvas.height || matchMedia('(prefers-reduced-motion: reduce)').matches) return
  const copy = document.createElement('canvas')
  ;[copy.width, copy.height, copy.className] = [canvas.width, canvas.height, 'net-fading']
  copy.getContext('2d')?.drawImage(canvas, 0, 0)
  canvas.after(copy)
  const fading = copy.animate([{ opacity: 1 }, { opacity: 0 }], { duration: FADE, easing: 'ease-out' })
  fading.onfinish = fading.oncancel = () => copy.remove()
}

/** A rectangle that both scenes have: the selected one, or what stands nearest to it. */
function anchorOf(before: Scene | null, after: Scene, selection: { kind: string; path?: string } | null) {
  const path = selection?.path
  if (!before || !path) return null
  const [one, other] = [rectOf(before, path), rectOf(after, path)]
  return one && other ? { before: one, after: other } : null
}

function rectOf(scene: Scene, path: string): Rect | null {
  const frame = scene.shown.frames.findIndex((module) => module.path === path)
  if (frame >= 0) return scene.frame(frame)
  const node = scene.nodeOf(path)
  return node === null ? null : scene.rect(node)
}
