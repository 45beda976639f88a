/** How strong the wires on screen are: the mean magnitude of the weight that each passes. */

import type { Stop, Store } from '../session'
import type { Scene } from './scene'

const MOST = 300
const SEEN = 0.05

export class LiveWeights {
  /** Mean |w| by address. */
  readonly magnitudes = new Map<string, number>()
  private readonly stops = new Map<string, Stop>()
  private least = Infinity
  private most = 0

  constructor(
    private readonly store: Store,
    private readonly changed: () => void,
  ) {}

  /** Watches the weights of these links, one reading a second; lets others go but keeps what they last were. */
  want(scene: Scene, links: number[]): void {
    const wanted = new Set<string>()
    for (const link of links) {
      if (wanted.size >= MOST) break
      const address = addressOfLink(scene, link)
      if (address) wanted.add(address)
    }
    for (const [address, stop] of this.stops) {
      if (wanted.has(address)) continue
      stop()
      this.stops.delete(address)
    }
    for (const address of wanted) {
      if (this.stops.has(address)) continue
      const hear = (reading: { data: ArrayLike<number> }) => this.read(address, reading.data[0]!)
      this.stops.set(address, this.store.subscribe(address, 'scalar', hear, { rate: 1, measure: 'magnitude' }))
    }
  }

  clear(): void {
    for (const stop of this.stops.values()) stop()
    this.stops.clear()
    this.magnitudes.clear()
    this.least = Infinity
    this.most = 0
  }

  /** Between 0 for the weakest weight seen and 1 for the strongest, in the logarithm; null if unknown. */
  strength(scene: Scene, link: number): number | null {
    const address = addressOfLink(scene, link)
    const value = address === null ? undefined : this.magnitudes.get(address)
    if (value === undefined || !(value > 0)) return value === 0 ? 0 : null
    if (this.most / this.least < 1.2) return 0.5
    return Math.min(1, Math.max(0, Math.log(value / this.least) / Math.log(this.most / this.least)))
  }

  /** Links are drawn anew for a change that can be seen. */
  private read(address: string, value: number): void {
    if (!Number.isFinite(value)) return
    const before = this.magnitudes.get(address)
    if (before !== undefined && Math.abs(value - before) <= SEEN * before) return
    this.magnitudes.set(address, value)
    if (value > 0) {
      this.least = Math.min(this.least, value)
      this.most = Math.max(this.most, value)
    }
    this.changed()
  }
}

export function addressOfLink(scene: Scene, link: number): string | null {
  const { wires } = scene.shown.links[link]!
  return wires.length === 1 ? scene.graph.wires[wires[0]!]!.info.weight : null
}
