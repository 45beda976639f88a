/** One chart: lines over steps, drawn by uPlot into a canvas, without a render for new points. */

import { useEffect, useRef, useState } from 'preact/hooks'
import uPlot from 'uplot'
import { isDark, token } from '../../theme'
import { brief } from '../numbers'
import { stepAxis, valueAxis, verticalRange, type Bounds, type Unit } from './axes'
import { faded, lineColour } from './colours'
import { joined, smoothed, thinned, type Points, type Series } from './series'

export interface Line {
  label: string
  series: Pick<Series, 'steps' | 'values' | 'length' | 'version'>
  /** Which of the colours. */
  colour: number
  dash?: number[]
  /** Whether it stays behind the others. */
  isFaint?: boolean
}

interface Props {
  title: string
  lines: Line[]
  /** Weight of what came before, 0 to 0.999. */
  smoothing?: number
  isLog?: boolean
  /** What the horizontal axis counts. */
  axis?: string
  height?: number
  /** Vertical bounds that hold always, such as 0 and 1 for shares. */
  bounds?: Bounds
  /** What its numbers are, if they are not plain ones. */
  unit?: Unit
  /** Charts of the same group show the same moment below the pointer. */
  sync?: string
  format?: (value: number | null) => string
}

/** How often a chart is drawn anew at most, in milliseconds. */
const PACE = 250
const LINES_SHOWN = 40
/** How much of its colour a line has that stays behind the others. */
const FAINT = 0.6

export function Chart(props: Props) {
  const { title, lines, smoothing = 0, isLog = false, axis = 'step', height = 150, bounds, unit, sync, format = (value) => brief(value) } = props
  const holder = useRef<HTMLDivElement>(null)
  const plot = useRef<uPlot | null>(null)
  const zoom = useRef<{ min: number; max: number } | null>(null)
  const [pointed, setPointed] = useState<number | null>(null)
  const [isZoomed, setZoomed] = useState(false)
  const [newest, setNewest] = useState<(number | null)[]>([])
  const shown = lines.slice(0, LINES_SHOWN)
  const key = JSON.stringify([shown.map((line) => [line.label, line.colour, line.dash, line.isFaint]), isLog, isDark.value, height, axis, bounds, unit])

  // What is drawn is read from here, so that new lines of the same look need no new plot.
  const drawn = useRef({ shown, smoothing })
  drawn.current = { shown, smoothing }

  useEffect(() => {
    const element = holder.current
    if (!element) return
    const dark = isDark.peek()
    const options = plotOptions({
      lines: shown,
      dark,
      isLog,
      height,
      width: Math.max(80, element.clientWidth),
      bounds,
      unit,
      sync,
      axis,
      onPoint: setPointed,
      onZoom: (range) => {
        zoom.current = range
        setZoomed(range !== null)
        draw()
      },
    })
    const made = new uPlot(options, [[], ...shown.map(() => [])] as unknown as uPlot.AlignedData, element)
    plot.current = made
    let versions = ''
    const draw = () => {
      const range = zoom.current
      const width = Math.max(80, made.width)
      const columns = drawn.current.shown.map(({ series }) => pointsOf(series, drawn.current.smoothing, isLog, width, range))
      made.setData(joined(columns) as unknown as uPlot.AlignedData, false)
      const extent = range ?? extentOf(drawn.current.shown)
      made.batch(() => {
        if (extent) made.setScale('x', extent)
      })
      setNewest(drawn.current.shown.map(({ series }) => (series.length ? series.values[series.length - 1]! : null)))
    }
    const look = () => {
      const now = `${drawn.current.smoothing} ${drawn.current.shown.map(({ series }) => series.version).join()}`
      if (now === versions || document.hidden) return
      versions = now
      draw()
    }
    look()
    const timer = setInterval(look, PACE)
    const observer = new ResizeObserver(() => {
      const width = element.clientWidth
      if (width > 0 && width !== made.width) {
        made.setSize({ width, height })
        draw()
      }
    })
    observer.observe(element)
    return () => {
      clearInterval(timer)
      observer.disconnect()
      made.destroy()
      plot.current = null
    }
  }, [key])

  const values = pointed === null ? newest : shown.map((_, n) => valueNear(plot.current, n + 1, pointed))
  const step = pointed === null ? null : (plot.current?.data[0][pointed] ?? null)
  return (
    <figure class="chart" aria-label={`${title}: ${summary(shown, newest, format)}`}>
      <figcaption>
        <span class="chart-title">{title}</span>
        {step !== null && (
          <span class="note">
            {axis} {brief(step, 6)}
          </span>
        )}
        {isZoomed && (
          <button
            type="button"
            class="button quiet small"
            onClick={() => {
              zoom.current = null
              setZoomed(false)
              const extent = extentOf(shown)
              if (extent) plot.current?.setScale('x', extent)
            }}
          >
            All
          </button>
        )}
      </figcaption>
      <div class="plot" ref={holder} title="Drag to zoom, double-click for all" />
      <ul class="chart-legend">
        {shown.map((line, n) => (
          <li key={line.label}>
            <svg width="18" height="8" aria-hidden="true">
              <line
                x1="0"
                y1="4"
                x2="18"
                y2="4"
                stroke={faded(lineColour(line.colour, isDark.value), line.isFaint ? FAINT : 1)}
                stroke-width="2"
                stroke-dasharray={line.dash?.join(' ')}
              />
            </svg>
            <span class="legend-name">{line.label}</span>
            <span class="legend-value">{format(values[n] ?? null)}</span>
          </li>
        ))}
        {lines.length > LINES_SHOWN && <li class="note">and {lines.length - LINES_SHOWN} more</li>}
      </ul>
    </figure>
  )
}

function summary(lines: Line[], newest: (number | null)[], format: (value: number | null) => string): string {
  return lines
    .slice(0, 8)
    .map((line, n) => `${line.label} ${format(newest[n] ?? null)}`)
    .join(', ')
}

/** What is drawn of a line: smoothed, without what a logarithm cannot take, thinned to the width. */
export function pointsOf(
  series: Pick<Series, 'steps' | 'values'>,
  smoothing: number,
  isLog: boolean,
  width: number,
  range: { min: number; max: number } | null,
): Points {
  const smooth = smoothed(series.values, smoothing)
  const values = isLog ? smooth.map((value) => (value > 0 ? value : NaN)) : smooth
  return thinned({ steps: series.steps, values }, Math.ceil(width / 2), range?.min, range?.max)
}

function extentOf(lines: Line[]): { min: number; max: number } | null {
  let min = Infinity
  let max = -Infinity
  for (const { series } of lines) {
    if (!series.length) continue
    min = Math.min(min, series.steps[0]!)
    max = Math.max(max, series.steps[series.length - 1]!)
  }
  return min > max ? null : max === min ? { min: min - 1, max: max + 1 } : { min, max }
}

/** The value of a line at or before a place of the axis; lines have gaps where others have points. */
function valueNear(plot: uPlot | null, column: number, at: number): number | null {
  const values = plot?.data[column]
  for (let n = at; values && n >= 0 && n > at - 200; n -= 1) {
    const value = values[n]
    if (value !== null && value !== undefined) return value
  }
  return null
}

interface Options {
  lines: Line[]
  dark: boolean
  isLog: boolean
  width: number
  height: number
  bounds: Bounds | undefined
  unit: Unit | undefined
  sync: string | undefined
  axis: string
  onPoint(index: number | null): void
  onZoom(range: { min: number; max: number } | null): void
}

function plotOptions({ lines, dark, isLog, width, height, bounds, unit, sync, axis, onPoint, onZoom }: Options): uPlot.Options {
  const text = token('text-3')
  const grid = { stroke: token('line'), width: 1 }
  const font = `10px ${token('font')}`
  const axes = { stroke: text, font, grid, ticks: { show: false } }
  return {
    width,
    height,
    padding: [6, 16, 0, 0],
    legend: { show: false },
    cursor: {
      y: false,
      points: { size: 5 },
      drag: { x: true, y: false, setScale: false },
      ...(sync ? { sync: { key: sync, scales: ['x', null] as [string, null] } } : {}),
    },
    scales: {
      x: { time: false, auto: false },
      y: { distr: isLog ? 3 : 1, range: (_, min, max) => verticalRange(min, max, isLog, bounds) },
    },
    axes: [
      { ...axes, ...stepAxis(axis) },
      { ...axes, ...valueAxis(isLog, unit) },
    ],
    series: [
      {},
      ...lines.map((line) => {
        const stroke = faded(lineColour(line.colour, dark), line.isFaint ? FAINT : 1)
        return {
          label: line.label,
          stroke,
          width: line.isFaint ? 1 : 1.5,
          spanGaps: true,
          ...(line.dash?.length ? { dash: line.dash } : {}),
          points: { show: (_: uPlot, __: number, first: number, last: number) => !line.isFaint && last - first < 12, size: 4, fill: stroke },
        }
      }),
    ],
    hooks: {
      setCursor: [(plot) => onPoint(plot.cursor.idx ?? null)],
      setSelect: [
        (plot) => {
          const { left, width: selected } = plot.select
          if (selected > 4) onZoom({ min: plot.posToVal(left, 'x'), max: plot.posToVal(left + selected, 'x') })
          plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false)
        },
      ],
      ready: [(plot) => plot.over.addEventListener('dblclick', () => onZoom(null))],
    },
  }
}
