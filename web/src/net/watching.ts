/** Watches what is on screen and large enough to be seen: pictures of blocks, weights of links. */

import type { Store } from '../session'
import { overlaps, type Camera } from './camera'
import { LiveReadings, type Wanted } from './live'
import { palette } from './paint/palette'
import type { Scene } from './scene'
import { LiveWeights } from './weights'

/** Pixels that the longer side of a picture must have to be watched. */
const LEAST_PICTURE = 22
/** Scale from which links are wide enough to show their weights. */
const LEAST_SCALE = 0.2
/** Milliseconds between two looks at what is on screen. */
const EVERY = 140

export class Watching {
  readonly live: LiveReadings
  readonly weights: LiveWeights
  private timer: ReturnType<typeof setTimeout> | undefined

  constructor(
    store: Store,
    private readonly camera: Camera,
    private readonly scene: () => Scene | null,
    changed: { read: () => void; weighed: () => void },
  ) {
    this.live = new LiveReadings(store, changed.read)
    this.weights = new LiveWeights(store, changed.weighed)
  }

  /** Looks again in a moment: the view has moved. */
  soon(): void {
    this.timer ??= setTimeout(() => {
      this.timer = undefined
      this.look()
    }, EVERY)
  }

  /** Begins anew, as for another stream of the batch. */
  again(): void {
    this.live.clear()
    this.soon()
  }

  close(): void {
    clearTimeout(this.timer)
    this.live.clear()
    this.weights.clear()
  }

  private look(): void {
    const scene = this.scene()
    if (!scene) {
      this.live.clear()
      this.weights.clear()
      return
    }
    const { view, scale } = this.camera
    const found = scale * 84 < LEAST_PICTURE ? [] : this.pictures(scene)
    this.live.want(found, palette.peek().isDark)
    this.weights.want(scene, scale > LEAST_SCALE ? scene.linksIn(view) : [])
    if (found.length < this.live.byLeaf.size) this.soon()
  }

  private pictures(scene: Scene): Wanted[] {
    const { view, scale } = this.camera
    const ratio = devicePixelRatio || 1
    const found: Wanted[] = []
    for (const node of scene.nodesIn(view)) {
      const { box, picture } = scene.cards[node]!
      const shown = scene.shown.nodes[node]!
      const leaf = shown.kind === 'leaf' ? shown.leaf : shown.output
      const pixels = Math.max(box.width, box.height) * scale * ratio
      const rect = scene.rect(node)
      if (!leaf || picture === 'none' || pixels < LEAST_PICTURE || !overlaps(rect, view)) continue
      const away = Math.hypot(rect.x + rect.width / 2 - view.x - view.width / 2, rect.y + rect.height / 2 - view.y - view.height / 2)
      found.push({ leaf, picture, pixels, away })
    }
    return found
  }
}
