import { useEffect, useRef, useState } from 'preact/hooks'
import { faultText, type ReductionName } from '../../protocol'
import type { Reading, WatchOptions } from '../../session'
import { useStore } from '../context'

/** Watches an address as long as the component is there; returns why it cannot be watched, or null. */
export function useReadings(address: string | null, reduction: ReductionName, options: WatchOptions, callback: (reading: Reading) => void): string | null {
  const store = useStore()
  const [refusal, setRefusal] = useState<string | null>(null)
  const newest = useRef(callback)
  newest.current = callback
  const stream = store.stream.value
  const session = store.id.value // another session ends all watches
  const key = JSON.stringify([stream, options])
  useEffect(() => {
    setRefusal(null)
    if (address === null) return
    return store.subscribe(
      address,
      reduction,
      (reading) => newest.current(reading),
      { stream, ...options },
      (error) => setRefusal(error.faults.map(faultText).join('; ')),
    )
  }, [store, session, address, reduction, key])
  return refusal
}

/** Calls `draw` in the next frame of the screen at most once, however often it was asked for. */
export function useRedraw(draw: () => void): () => void {
  const newest = useRef(draw)
  newest.current = draw
  const asked = useRef(0)
  useEffect(() => () => cancelAnimationFrame(asked.current), [])
  const ask = useRef(() => {
    if (asked.current) return
    asked.current = requestAnimationFrame(() => {
      asked.current = 0
      newest.current()
    })
  })
  return ask.current
}

/** The drawing context of a canvas whose pixels are the screen's. */
export function sharpContext(canvas: HTMLCanvasElement, width: number, height: number): CanvasRenderingContext2D | null {
  const scale = window.devicePixelRatio || 1
  if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
    canvas.width = Math.round(width * scale)
    canvas.height = Math.round(height * scale)
  }
  const context = canvas.getContext('2d')
  context?.setTransform(scale, 0, 0, scale, 0, 0)
  return context
}
