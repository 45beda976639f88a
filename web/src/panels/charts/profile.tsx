/** A metric by its number, such as accuracy by frames since onset: the newest values as bars, the ones before as marks. */

import { useEffect, useRef, useState } from 'preact/hooks'
import { isDark } from '../../theme'
import { lineColour } from './colours'
import type { Named } from './groups'
import type { Source } from './metrics'

interface Props {
  title: string
  list: readonly Named[]
  sources: readonly Source[]
  height: number
}

const LEFT = 30
const BOTTOM = 26
const TOP = 6
/** Width of a digit on a bar, with some room. */
const LETTER = 7.2

interface Bar {
  index: number
  value: number | null
  before: number | null
}

export function Profile({ title, list, sources, height }: Props) {
  const phase = list.at(-1)?.phase ?? null
  const own = list.filter((one) => one.phase === phase)
  const [bars, setBars] = useState<Bar[][]>(() => read(own, sources))
  const versions = useRef('')
  useEffect(() => {
    const look = () => {
      const now = sources.flatMap(({ buffers }) => own.map((one) => buffers.of(one.name).version)).join()
      if (now === versions.current || document.hidden) return
      versions.current = now
      setBars(read(own, sources))
    }
    look()
    const timer = setInterval(look, 500)
    return () => clearInterval(timer)
  })
  const figure = useRef<HTMLElement>(null)
  const [width, setWidth] = useState(320)
  useEffect(() => {
    const observer = new ResizeObserver(() => figure.current && setWidth(Math.max(120, figure.current.clientWidth)))
    if (figure.current) observer.observe(figure.current)
    return () => observer.disconnect()
  }, [])
  const inner = width - LEFT - 6
  const slot = inner / Math.max(1, own.length)
  const thick = Math.max(2, (slot - Math.min(6, slot / 4)) / Math.max(1, sources.length))
  const y = (value: number) => TOP + (1 - Math.min(1, Math.max(0, value))) * (height - TOP - BOTTOM)
  const told = bars[0]?.map((bar) => `${bar.index}: ${percent(bar.value)}`).join(', ') ?? ''
  return (
    <figure class="chart profile" ref={figure} aria-label={`${title}, ${told}`}>
      <figcaption>
        <span class="chart-title">{title}</span>
        {phase && <span class="note">{phase}</span>}
      </figcaption>
      <svg viewBox={`0 0 ${width} ${height}`} height={height} role="presentation">
        {[0, 0.5, 1].map((at) => (
          <g key={at} class="grid">
            <line x1={LEFT} x2={width - 6} y1={y(at)} y2={y(at)} />
            <text x={LEFT - 4} y={y(at) + 3} text-anchor="end">
              {at * 100}
            </text>
          </g>
        ))}
        {bars.map((row, run) =>
          row.map((bar, n) => {
            const x = LEFT + n * slot + Math.min(3, slot / 8) + run * thick
            const colour = lineColour(sources.length > 1 ? run : 0, isDark.value)
            return (
              <g key={`${run} ${bar.index}`}>
                <title>{`${sources.length > 1 ? `${sources[run]!.label}, ` : ''}${bar.index} frames: ${percent(bar.value)}`}</title>
                {bar.value !== null && <rect x={x} width={thick - 1} y={y(bar.value)} height={y(0) - y(bar.value)} fill={colour} opacity="0.85" />}
                {bar.before !== null && <line class="before" x1={x} x2={x + thick - 1} y1={y(bar.before)} y2={y(bar.before)} />}
                {bar.value !== null && sources.length === 1 && thick > LETTER * String(Math.round(bar.value * 100)).length && (
                  <text
                    class={bar.value > 0.2 ? 'value inside' : 'value'}
                    x={x + thick / 2}
                    y={bar.value > 0.2 ? y(bar.value) + 13 : y(bar.value) - 4}
                    text-anchor="middle"
                  >
                    {Math.round(bar.value * 100)}
                  </text>
                )}
              </g>
            )
          }),
        )}
        {own.map((one, n) => (
          <text key={one.name} class="axis" x={LEFT + (n + 0.5) * slot} y={height - 14} text-anchor="middle">
            {one.index}
          </text>
        ))}
        <text class="axis" x={LEFT + inner / 2} y={height - 2} text-anchor="middle">
          frames since onset
        </text>
      </svg>
    </figure>
  )
}

function read(list: readonly Named[], sources: readonly Source[]): Bar[][] {
  return sources.map(({ buffers }) =>
    list.map((one) => {
      const { values } = buffers.of(one.name)
      return { index: one.index ?? 0, value: numberAt(values, 1), before: numberAt(values, 2) }
    }),
  )
}

function numberAt(values: Float64Array, fromEnd: number): number | null {
  const value = values[values.length - fromEnd]
  return value === undefined || Number.isNaN(value) ? null : value
}

function percent(value: number | null): string {
  return value === null ? 'none' : `${(value * 100).toFixed(1)} %`
}
