/** A block's output, large: read units, and lesion, clamp or restore those that are clicked or drawn. */

import { useEffect, useRef, useState } from 'preact/hooks'
import { kept } from '../kept'
import type { Shape } from '../protocol'
import { store } from '../session'
import type { Reading } from '../wire'
import { extent, pictureOf, shapeOf, shapeText } from './cards'
import type { Leaf } from './graph'
import { addressOf, scaleOf } from './live'
import { numberText } from './paint/pictures'
import { palette } from './paint/palette'
import { colour } from './paint/scales'
import { enlarged, graph } from './state'
import { commandOn, decodeMask, Drawn, sizeOf, unitAt, type Channel, type Deed } from './units'

type Tool = 'unit' | 'box' | 'brush'

const TOOLS: { id: Tool; label: string; hint: string }[] = [
  { id: 'unit', label: 'Unit', hint: 'Click a unit' },
  { id: 'box', label: 'Box', hint: 'Drag a rectangle' },
  { id: 'brush', label: 'Brush', hint: 'Paint over units' },
]
const DEEDS: { id: Deed; label: string }[] = [
  { id: 'lesion', label: 'Lesion' },
  { id: 'clamp', label: 'Clamp to' },
  { id: 'restore', label: 'Restore' },
]
const LARGEST = 512

const tool = kept<Tool>('net.tool', 'unit')
const deed = kept<Deed>('net.deed', 'lesion')

export function Enlarged() {
  const known = graph.value
  const index = enlarged.value === null ? undefined : known?.byPath.get(enlarged.value)
  if (!known || index === undefined) return null
  const leaf = known.leaves[index]!
  if (pictureOf(leaf) === 'none' && !shapeOf(leaf)) return null
  return <Output key={leaf.path} leaf={leaf} shape={shapeOf(leaf)!} />
}

function Output({ leaf, shape }: { leaf: Leaf; shape: Shape }) {
  const [channel, setChannel] = useState<Channel>('all')
  const [value, setValue] = useState(0)
  const [hint, setHint] = useState('')
  const [fault, setFault] = useState('')
  const channels = shape.length >= 3 ? shape.slice(0, -2).reduce((a, b) => a * b, 1) : 1
  const hasChannels = shape.length === 3 && channels > 1
  const inForce = (store.status.value?.interventions ?? []).filter((one) => one.block === leaf.path)
  const act = async (drawn: Drawn) => {
    if (!drawn.count) return
    try {
      await store.command(commandOn(leaf.path, deed.value, drawn, value))
      setFault('')
    } catch (error) {
      setFault(error instanceof Error ? error.message : String(error))
    }
  }
  return (
    <section
      class="enlarged"
      aria-label={`Output of ${leaf.path}`}
      onKeyDown={(event) => {
        if (event.key !== 'Escape') return
        enlarged.value = null
        event.stopPropagation()
      }}
    >
      <header>
        <h2 title={leaf.path}>{leaf.name}</h2>
        <span class="note">{shapeText(shape)}</span>
        {hasChannels && <Channels count={channels} channel={channel} onChange={setChannel} />}
        <button class="button quiet" type="button" aria-label="Close" onClick={() => (enlarged.value = null)}>
          ✕
        </button>
      </header>
      <Picture leaf={leaf} shape={shape} channel={channel} onHint={setHint} onDrawn={(drawn) => void act(drawn)} />
      <div class="deeds">
        <div class="segments" role="radiogroup" aria-label="How units are chosen">
          {TOOLS.map(({ id, label, hint: title }) => (
            <button key={id} type="button" role="radio" aria-checked={tool.value === id} title={title} onClick={() => (tool.value = id)}>
              {label}
            </button>
          ))}
        </div>
        <select class="field" aria-label="What is done to them" value={deed.value} onChange={(event) => (deed.value = event.currentTarget.value as Deed)}>
          {DEEDS.map(({ id, label }) => (
            <option key={id} value={id}>
              {label}
            </option>
          ))}
        </select>
        {deed.value === 'clamp' && (
          <input class="field value" type="number" step="any" aria-label="Value" value={value} onChange={(event) => setValue(Number(event.currentTarget.value) || 0)} />
        )}
        <span class="end">
          {inForce.length > 0 && (
            <button class="button" type="button" onClick={() => void store.perform(`restore ${leaf.path}`)}>
              Restore all
            </button>
          )}
        </span>
      </div>
      <p class={fault ? 'hint bad' : 'hint'} role="status">
        {fault || hint || `${TOOLS.find((one) => one.id === tool.value)!.hint} to ${deed.value} it. Undo takes it back.`}
      </p>
    </section>
  )
}

function Channels({ count, channel, onChange }: { count: number; channel: Channel; onChange: (channel: Channel) => void }) {
  return (
    <select
      class="field"
      aria-label="Channels"
      value={String(channel)}
      onChange={(event) => {
        const { value } = event.currentTarget
        onChange(value === 'all' || value === 'mean' ? value : Number(value))
      }}
    >
      <option value="all">all channels</option>
      <option value="mean">mean</option>
      {Array.from({ length: count }, (_, n) => (
        <option key={n} value={n}>
          channel {n}
        </option>
      ))}
    </select>
  )
}

interface PictureProps {
  leaf: Leaf
  shape: Shape
  channel: Channel
  onHint: (text: string) => void
  onDrawn: (drawn: Drawn) => void
}

function Picture({ leaf, shape, channel, onHint, onDrawn }: PictureProps) {
  const canvas = useRef<HTMLCanvasElement>(null)
  const newest = useRef<Reading | null>(null)
  const drawing = useRef<{ drawn: Drawn; row: number; column: number } | null>(null)
  const { rows, columns } = sizeOf(shape, channel)
  const theme = palette.value
  const id = store.id.value
  const interventions = store.status.value?.interventions
  const paint = () => {
    if (canvas.current) painted(canvas.current, newest.current, leaf, shape, channel, rows, columns, drawing.current?.drawn ?? null)
  }
  useEffect(() => {
    newest.current = null
    const chosen = shape.length < 3 || channel === 'all' ? {} : { channel }
    return store.subscribe(addressOf(leaf), 'thumbnail', (reading) => {
      newest.current = reading
      paint()
    }, { rate: 20, size: [LARGEST, LARGEST], ...chosen })
  }, [id, leaf.path, channel, store.stream.value])
  useEffect(paint, [theme, interventions, channel])
  const cell = (event: PointerEvent): [number, number] => {
    const box = event.currentTarget instanceof Element ? event.currentTarget.getBoundingClientRect() : new DOMRect()
    return [Math.floor(((event.clientY - box.top) / box.height) * rows), Math.floor(((event.clientX - box.left) / box.width) * columns)]
  }
  const mark = (row: number, column: number) => {
    const now = drawing.current!
    if (tool.value === 'brush') now.drawn.markDisc(row, column, Math.max(0.5, Math.max(rows, columns) / 40))
    else {
      now.drawn.marked.fill(0)
      if (tool.value === 'unit') now.drawn.mark(row, column)
      else now.drawn.markBox({ top: Math.min(row, now.row), bottom: Math.max(row, now.row), left: Math.min(column, now.column), right: Math.max(column, now.column) })
    }
    paint()
  }
  return (
    <div class="map">
      <canvas
        ref={canvas}
        role="img"
        aria-label={`Live picture of ${leaf.path}`}
        style={{ aspectRatio: `${columns} / ${rows}`, '--shape': columns / rows }}
        onPointerDown={(event) => {
          const [row, column] = cell(event)
          event.currentTarget.setPointerCapture(event.pointerId)
          drawing.current = { drawn: new Drawn(shape, channel), row, column }
          mark(row, column)
        }}
        onPointerMove={(event) => {
          const [row, column] = cell(event)
          onHint(readout(newest.current, shape, channel, row, column, rows, columns))
          if (drawing.current) mark(row, column)
        }}
        onPointerLeave={() => onHint('')}
        onPointerUp={() => {
          const done = drawing.current
          drawing.current = null
          paint()
          if (done) onDrawn(done.drawn)
        }}
      />
    </div>
  )
}

function readout(reading: Reading | null, shape: Shape, channel: Channel, row: number, column: number, rows: number, columns: number): string {
  const unit = unitAt(shape, channel, row, column)
  const place = unit ? `[${unit.join(', ')}]` : channel === 'mean' ? `mean at [${row}, ${column}]` : ''
  if (!place || !reading || reading.shape.length !== 2) return place
  const [height, width] = reading.shape as [number, number]
  const at = Math.floor((row / rows) * height) * width + Math.floor((column / columns) * width)
  const isExact = height === rows && width === columns
  return `${place} ${isExact ? '=' : '≈'} ${numberText(reading.low + (reading.data[at]! / 255) * (reading.high - reading.low))}`
}

function painted(canvas: HTMLCanvasElement, reading: Reading | null, leaf: Leaf, shape: Shape, channel: Channel, rows: number, columns: number, drawn: Drawn | null): void {
  const factor = Math.max(1, Math.floor(960 / Math.max(rows, columns)))
  const [width, height] = [columns * factor, rows * factor]
  if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height]
  const context = canvas.getContext('2d')!
  const { isDark, bad, focus, empty } = palette.peek()
  context.fillStyle = empty
  context.fillRect(0, 0, width, height)
  if (reading) {
    const [high, wide] = reading.shape as [number, number]
    const image = new ImageData(wide, high)
    colour(reading, new Uint32Array(image.data.buffer), scaleOf(leaf), isDark)
    const small = document.createElement('canvas')
    ;[small.width, small.height] = [wide, high]
    small.getContext('2d')!.putImageData(image, 0, 0)
    context.imageSmoothingEnabled = false
    context.drawImage(small, 0, 0, width, height)
  }
  tiles(context, shape, channel, factor, empty)
  for (const { block, mask, kind } of store.status.peek()?.interventions ?? []) {
    if (block === leaf.path && mask) shade(context, marked(mask.shape, decodeMask(mask), shape, channel), rows, columns, factor, kind === 'lesion' ? bad : focus)
  }
  if (drawn) shade(context, drawn, rows, columns, factor, focus)
}

function marked(from: Shape, bits: Uint8Array, shape: Shape, channel: Channel): Drawn {
  const drawn = new Drawn(shape, channel)
  if (bits.length === drawn.marked.length) drawn.marked.set(bits)
  else if (from.length === shape.length) {
    // a mean shows a place as marked where any of its channels is
    for (let n = 0; n < bits.length; n++) if (bits[n]) drawn.marked[n % drawn.marked.length] = 1
  }
  return drawn
}

/** Lines between the tiles of channels. */
function tiles(context: CanvasRenderingContext2D, shape: Shape, channel: Channel, factor: number, line: string): void {
  const { rows, columns, tile } = extent(shape)
  if (!tile || channel !== 'all') return
  context.strokeStyle = line
  context.lineWidth = Math.max(1, factor / 8)
  context.beginPath()
  for (let row = tile[0]; row < rows; row += tile[0]) {
    context.moveTo(0, row * factor)
    context.lineTo(columns * factor, row * factor)
  }
  for (let column = tile[1]; column < columns; column += tile[1]) {
    context.moveTo(column * factor, 0)
    context.lineTo(column * factor, rows * factor)
  }
  context.stroke()
}

function shade(context: CanvasRenderingContext2D, drawn: Drawn, rows: number, columns: number, factor: number, fill: string): void {
  context.fillStyle = fill
  context.globalAlpha = 0.6
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) if (drawn.isMarked(row, column)) context.fillRect(column * factor, row * factor, factor, factor)
  }
  context.globalAlpha = 1
}
