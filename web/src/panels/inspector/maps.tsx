/** A block's output as maps, or its weights as filters; units and regions can be pointed at. */

import { useEffect, useRef, useState } from 'preact/hooks'
import type { Reading } from '../../session'
import { isDark } from '../../theme'
import { asNumbers } from '../../wire'
import { brief } from '../numbers'
import { useReadings, useRedraw } from './readings'
import { rectangle, type Rectangle } from './regions'
import { aroundDark, aroundLight, bounds, grey, layoutOf, ofInput, paint, pixelSize, placeAt, sequential, table, type Layout } from './tiles'

/** Of larger tensors a picture reduced at the source is shown. */
export const MOST_VALUES = 65_536

export interface Place {
  map: number
  row: number
  column: number
}

export type Tool = 'look' | 'unit' | 'rectangle' | 'brush'

export interface Marked {
  layout: Layout
  unit?: Place
  /** The map that a rectangle was drawn in. */
  map?: number
  rectangle?: Rectangle
  /** Painted places by map, row and column. */
  brush?: Uint8Array
}

interface Props {
  address: string
  label: string
  shape: readonly number[]
  rate?: number
  /** Weights are drawn about 0, and their inputs averaged or chosen. */
  isWeight?: boolean
  /** What is seen, and not what is computed from it: shown in grey. */
  isPicture?: boolean
  input?: number | 'mean' | 'all'
  tool?: Tool
  marked?: Marked | null
  onMark?(marked: Marked): void
}

const COLOURS = { sequential: table(sequential), light: table(aroundLight), dark: table(aroundDark), grey: table(grey) }

export function Maps(props: Props) {
  const { address, label, shape, rate = 10, isWeight = false, isPicture = false, input = 'mean', tool = 'look', marked, onMark } = props
  const canvas = useRef<HTMLCanvasElement>(null)
  const overlay = useRef<HTMLCanvasElement>(null)
  const newest = useRef<Reading | null>(null)
  const shown = useRef<{ values: ArrayLike<number>; layout: Layout } | null>(null)
  const [range, setRange] = useState<[number, number] | null>(null)
  const [pointed, setPointed] = useState<string | null>(null)
  const count = shape.reduce((product, size) => product * size, 1)
  const isReduced = count > MOST_VALUES
  const isSigned = useRef(isWeight)

  const redraw = useRedraw(() => {
    const element = canvas.current
    const reading = newest.current
    if (!element || !reading) return
    const numbers = asNumbers(reading)
    const own = isReduced ? reading.shape : trimmed(reading.shape, shape)
    const layout = layoutOf(own, input)
    const values = isWeight ? ofInput(numbers, own, input) : numbers
    if (!isWeight) isSigned.current = hasBothSigns(values)
    const limits = bounds(values, isSigned.current && !isPicture)
    const [width, height] = pixelSize(layout)
    if (element.width !== width || element.height !== height) {
      element.width = width
      element.height = height
    }
    const context = element.getContext('2d')
    if (!context) return
    const image = context.createImageData(width, height)
    paint(image.data, values, layout, COLOURS[isPicture ? 'grey' : isSigned.current ? (isDark.peek() ? 'dark' : 'light') : 'sequential'], limits)
    context.putImageData(image, 0, 0)
    shown.current = { values, layout }
    setRange((before) => (before && before[0] === limits[0] && before[1] === limits[1] ? before : limits))
    drawMarks(overlay.current, layout, marked ?? null)
  })
  const refusal = useReadings(address, isReduced ? 'thumbnail' : 'whole', { rate, ...(isReduced ? { size: [192, 192] } : {}) }, (reading) => {
    newest.current = reading
    redraw()
  })
  useEffect(redraw, [input, marked, isDark.value])
  useEffect(() => {
    newest.current = null
    setRange(null)
  }, [address])

  const pointer = usePointer(canvas, shown, tool, isReduced, marked ?? null, onMark, setPointed)
  if (refusal) return <p class="note">{refusal}</p>
  return (
    <div class="maps">
      <div class={`maps-frame ${tool}`} {...pointer}>
        <canvas ref={canvas} role="img" aria-label={`${label}${range ? `, from ${brief(range[0])} to ${brief(range[1])}` : ', not read yet'}`} />
        <canvas ref={overlay} class="marks" aria-hidden="true" />
      </div>
      <div class="maps-foot">
        <span class={`ramp ${isPicture ? 'grey' : isSigned.current ? (isDark.value ? 'dark' : 'light') : 'sequential'}`} aria-hidden="true" />
        <span>{range ? `${brief(range[0])} … ${brief(range[1])}` : 'not read yet'}</span>
        <span class="pointed">{pointed ?? (isReduced ? 'reduced; too large to show whole' : '')}</span>
      </div>
    </div>
  )
}

/** The stream's own shape: what `whole` sends may have a batch of one in front. */
function trimmed(read: readonly number[], told: readonly number[]): readonly number[] {
  return read.length === told.length + 1 && read[0] === 1 ? read.slice(1) : read.length ? read : told
}

function hasBothSigns(values: ArrayLike<number>): boolean {
  let low = 0
  let high = 0
  for (let n = 0; n < values.length; n += 1) {
    if (values[n]! < low) low = values[n]!
    if (values[n]! > high) high = values[n]!
  }
  return low < -0.05 * high
}

function usePointer(
  canvas: { current: HTMLCanvasElement | null },
  shown: { current: { values: ArrayLike<number>; layout: Layout } | null },
  tool: Tool,
  isReduced: boolean,
  marked: Marked | null,
  onMark: ((marked: Marked) => void) | undefined,
  setPointed: (text: string | null) => void,
) {
  const start = useRef<Place | null>(null)
  const find = (event: PointerEvent): Place | null => {
    const element = canvas.current
    if (!element || !shown.current) return null
    const box = element.getBoundingClientRect()
    const x = ((event.clientX - box.left) / box.width) * element.width
    const y = ((event.clientY - box.top) / box.height) * element.height
    return placeAt(shown.current.layout, x, y)
  }
  const mark = (place: Place, isFirst: boolean) => {
    const layout = shown.current!.layout
    if (tool === 'unit') onMark?.({ layout, unit: place })
    else if (tool === 'rectangle') {
      if (isFirst || start.current?.map !== place.map) start.current ??= place
      const from = start.current ?? place
      if (from.map === place.map) onMark?.({ layout, map: from.map, rectangle: rectangle(from, place) })
    } else if (tool === 'brush') {
      const size = layout.count * layout.width * layout.height
      const painted = new Uint8Array(size)
      if (marked?.brush?.length === size) painted.set(marked.brush)
      dab(painted, layout, place)
      onMark?.({ layout, brush: painted })
    }
  }
  return {
    onPointerDown: (event: PointerEvent) => {
      const place = find(event)
      if (!place || tool === 'look' || isReduced) return
      ;(event.currentTarget as HTMLElement).setPointerCapture?.(event.pointerId)
      start.current = tool === 'rectangle' ? place : null
      mark(place, true)
      event.preventDefault()
    },
    onPointerMove: (event: PointerEvent) => {
      const place = find(event)
      if (!place || !shown.current) return setPointed(null)
      const { layout, values } = shown.current
      const value = values[place.map * layout.width * layout.height + place.row * layout.width + place.column]
      const where = layout.count > 1 ? `[${place.map}, ${place.row}, ${place.column}]` : `[${place.row}, ${place.column}]`
      setPointed(`${where} ${brief(value)}`)
      if (event.buttons === 1 && tool !== 'look' && tool !== 'unit' && !isReduced) mark(place, false)
    },
    onPointerLeave: () => setPointed(null),
  }
}

function dab(brush: Uint8Array, { width, height }: Layout, { map, row, column }: Place): void {
  const radius = Math.max(0, Math.floor(Math.min(width, height) / 16))
  for (let y = Math.max(0, row - radius); y <= Math.min(height - 1, row + radius); y += 1) {
    for (let x = Math.max(0, column - radius); x <= Math.min(width - 1, column + radius); x += 1) brush[map * width * height + y * width + x] = 1
  }
}

const MARK = '#ff2d78'

/** Outlines of what is marked, in pixels of the maps times four. */
function drawMarks(canvas: HTMLCanvasElement | null, layout: Layout, marked: Marked | null): void {
  const context = canvas?.getContext('2d')
  if (!canvas || !context) return
  const scale = 4
  const [width, height] = pixelSize(layout)
  canvas.width = width * scale
  canvas.height = height * scale
  if (!marked || marked.layout.count !== layout.count || marked.layout.width !== layout.width) return
  const corner = (map: number) => [(map % layout.columns) * (layout.width + 1), Math.floor(map / layout.columns) * (layout.height + 1)] as const
  context.strokeStyle = MARK
  context.fillStyle = `${MARK}99`
  context.lineWidth = 3
  const box = (map: number, { top, bottom, left, right }: Rectangle) => {
    const [x, y] = corner(map)
    context.strokeRect((x + left) * scale, (y + top) * scale, (right - left) * scale, (bottom - top) * scale)
  }
  if (marked.unit) box(marked.unit.map, rectangle(marked.unit, marked.unit))
  if (marked.rectangle && marked.map !== undefined) box(marked.map, marked.rectangle)
  marked.brush?.forEach((is, n) => {
    if (!is) return
    const size = layout.width * layout.height
    const [x, y] = corner(Math.floor(n / size))
    const at = n % size
    context.fillRect((x + (at % layout.width)) * scale, (y + Math.floor(at / layout.width)) * scale, scale, scale)
  })
}
