/** Lays out large graphs beside the page, so that it stays responsive. */

import { layered } from './layered'
import type { LayoutRequest } from './types'

addEventListener('message', ({ data }: MessageEvent<{ number: number; request: LayoutRequest }>) => {
  postMessage({ number: data.number, answer: layered(data.request) })
})
