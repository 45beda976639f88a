/** The losses of every frame that the page sees, between those that a run writes. */

import { useEffect } from 'preact/hooks'
import type { BlockInfo, Description } from '../../protocol'
import type { Store } from '../../session'
import type { Buffers } from './buffers'

const PREFIX = 'now/'
const RATE = 10
const MOST = 4

/** Blocks at the end of the net that send one number in training. */
export function lossesOf({ blocks, outputs }: Description): string[] {
  const last = new Set(outputs)
  return blocks.filter((block) => last.has(block.path) && isNumber(block) && !block.exclude.includes('train')).slice(0, MOST).map((block) => block.path)
}

function isNumber({ shape, dtype }: BlockInfo): boolean {
  return shape !== null && shape.length === 0 && !/int|bool/.test([dtype].flat()[0] ?? '')
}

/** Fills series of the losses as long as they are in view. */
export function useNow(store: Store, buffers: Buffers): void {
  const description = store.description.value
  const id = store.id.value
  useEffect(() => {
    if (!description || !id) return
    const stops = lossesOf(description).map((path) =>
      store.subscribe(`net/${path}/output`, 'scalar', ({ frame, data }) => {
        const clock = store.status.peek()?.clock
        const step = clock ? frame - (clock.frame - clock.step) : frame // frames before the first step are not counted
        buffers.push(PREFIX + path, step, Number(data[0]))
      }, { rate: RATE }),
    )
    return () => stops.forEach((stop) => stop())
  }, [id, description])
}

/** The series of a loss, if the page has seen any of it. */
export function nowOf(buffers: Buffers, group: string): ReturnType<Buffers['of']> | null {
  return buffers.names.value.includes(PREFIX + group) ? buffers.of(PREFIX + group) : null
}

/** The losses that the page has seen. */
export function seenOf(buffers: Buffers): string[] {
  return buffers.names.value.filter((name) => name.startsWith(PREFIX)).map((name) => name.slice(PREFIX.length))
}
