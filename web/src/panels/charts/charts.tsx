/** The charts of the live session: metrics, rates, pace, the machine; smoothing, scales, other runs beside. */

import { useComputed, useSignal } from '@preact/signals'
import { useEffect, useMemo, useRef, useState } from 'preact/hooks'
import { kept } from '../../kept'
import type { RunInfo } from '../../protocol'
import { useStore } from '../context'
import { Blank } from '../forms/blank'
import { brief, bytes } from '../numbers'
import { Buffers, rateOf } from './buffers'
import { Chart, type Line } from './chart'
import { liveOf, loadMetrics } from './live'
import { MetricCharts, type Source } from './metrics'
import { seenOf, useNow } from './now'

const smoothing = kept('charts.smoothing', 0)
const isLog = kept('charts.log', false)
const shows = kept<Record<string, boolean>>('charts.shows', { metrics: true, session: true, machine: true })
const SECTIONS = { metrics: 'Metrics', session: 'Rates', machine: 'Machine' } as const

export function Charts() {
  const store = useStore()
  const live = liveOf(store)
  const grid = useRef<HTMLDivElement>(null)
  const height = useHeight(grid)
  const filter = useSignal('')
  const compared = useSignal<readonly Source[]>([])
  const id = store.id.value
  useEffect(() => {
    compared.value = []
  }, [id])
  const now = live.watched.session
  useNow(store, now)
  const hasMetrics = useComputed(() => live.metrics.names.value.length > 0 || seenOf(now).length > 0).value
  const sources = useMemo<Source[]>(() => [{ label: id ?? 'this run', buffers: live.metrics }, ...compared.value], [id, compared.value])
  if (!id) return <Blank title="No session is shown">Open a live run to see its numbers.</Blank>
  const look = { leavesOut: isRate, height, smoothing: smoothing.value, isLog: isLog.value, filter: filter.value, now }
  return (
    <div class="charts">
      <div class="toolbar">
        <input
          type="search"
          class="field"
          placeholder="Filter"
          aria-label="Filter charts by name"
          value={filter.value}
          onInput={(event) => (filter.value = event.currentTarget.value)}
        />
        <label class="inline">
          Smoothing
          <input
            type="range"
            min={0}
            max={0.99}
            step={0.01}
            value={smoothing.value}
            aria-valuetext={brief(smoothing.value)}
            onInput={(event) => (smoothing.value = Number(event.currentTarget.value))}
          />
          <output>{smoothing.value.toFixed(2)}</output>
        </label>
        <label class="inline">
          <input type="checkbox" checked={isLog.value} onChange={(event) => (isLog.value = event.currentTarget.checked)} />
          Log scale
        </label>
        <CompareWith chosen={compared.value} onChange={(next) => (compared.value = next)} />
        <span class="spread" />
        {Object.entries(SECTIONS).map(([key, label]) => (
          <label key={key} class="inline">
            <input
              type="checkbox"
              checked={shows.value[key] !== false}
              onChange={(event) => (shows.value = { ...shows.value, [key]: event.currentTarget.checked })}
            />
            {label}
          </label>
        ))}
      </div>
      <div class="chart-grid" ref={grid}>
        {shows.value.metrics !== false && <MetricCharts sources={sources} look={look} />}
        {shows.value.session !== false && <SessionCharts filter={filter.value} height={height} />}
        {shows.value.machine !== false && <MachineCharts filter={filter.value} height={height} />}
        {!hasMetrics && <Blank title="No numbers yet">Losses and metrics appear as the run writes them.</Blank>}
      </div>
    </div>
  )
}

/** Rates have a chart of their own. */
function isRate(group: string): boolean {
  return rateOf(group) !== null
}

/** What a chart has beside its plot, in pixels: its title and two lines of legend; and the bar above all charts. */
const APART = 72
const BAR = 40

/** The height at which one row of charts fills the panel, within reason. */
function useHeight(grid: { current: HTMLDivElement | null }): number {
  const [height, setHeight] = useState(150)
  useEffect(() => {
    const panel = grid.current?.closest('.content')
    if (!panel) return
    const observer = new ResizeObserver(() => setHeight(Math.round(Math.max(64, Math.min(260, panel.clientHeight - BAR - APART)))))
    observer.observe(panel)
    return () => observer.disconnect()
  }, [grid.current])
  return height
}

interface SectionProps {
  filter: string
  height: number
}

function SessionCharts({ filter, height }: SectionProps) {
  const { session } = liveOf(useStore()).watched
  const names = session.names.value
  const rates = names.filter((name) => name.startsWith('rate/'))
  const line = (name: string, colour: number, label: string): Line => ({ label, colour, series: session.of(name) })
  return (
    <>
      {rates.length > 0 && 'rates'.includes(filter) && (
        <Chart title="learning rate" lines={rates.map((name, n) => line(name, n, name.slice(5)))} isLog={isLog.value} sync="steps" height={height} />
      )}
      {names.includes('frames/s') && 'frames/s'.includes(filter) && (
        <Chart title="frames/s" lines={[line('frames/s', 0, 'frames/s')]} smoothing={smoothing.value} bounds={[0, null]} sync="steps" height={height} />
      )}
    </>
  )
}

function MachineCharts({ filter, height }: SectionProps) {
  const { machine } = liveOf(useStore()).watched
  const names = machine.names.value
  const charts = [...new Set(names.map((name) => name.split('/')[0]!))].filter((title) => title.toLowerCase().includes(filter.toLowerCase()))
  return (
    <>
      {charts.map((title) => {
        const own = names.filter((name) => name.startsWith(`${title}/`))
        const lines = own.map((name, n) => ({ label: name.slice(title.length + 1), colour: n, series: machine.of(name) }))
        const isSize = title.includes('memory')
        return (
          <Chart
            key={title}
            title={title}
            lines={lines}
            axis="seconds"
            height={height}
            bounds={isSize ? [0, null] : [0, 1]}
            unit={isSize ? 'bytes' : 'share'}
            format={isSize ? (value) => bytes(value) : (value) => (value === null ? '–' : `${Math.round(value * 100)} %`)}
          />
        )
      })}
    </>
  )
}

interface CompareProps {
  chosen: readonly Source[]
  onChange(next: readonly Source[]): void
}

/** Chooses other runs whose numbers are drawn beside the live ones. */
function CompareWith({ chosen, onChange }: CompareProps) {
  const store = useStore()
  const [runs, setRuns] = useState<RunInfo[] | null>(null)
  const load = async () => {
    try {
      const answer = await store.rest.get<RunInfo[] | { runs: RunInfo[] }>('runs')
      setRuns(Array.isArray(answer) ? answer : answer.runs)
    } catch {
      setRuns([])
    }
  }
  const others = (runs ?? []).filter((run) => run.id !== store.id.value && !chosen.some((source) => source.label === run.id))
  const add = (label: string) => {
    if (!label) return
    const buffers = new Buffers()
    void loadMetrics(store, label, buffers)
    onChange([...chosen, { label, buffers }])
  }
  return (
    <>
      <select class="field" aria-label="Compare with another run" value="" onFocus={() => void load()} onChange={(event) => add(event.currentTarget.value)}>
        <option value="">Compare with …</option>
        {others.map((run) => (
          <option key={run.id} value={run.id}>
            {run.id}
          </option>
        ))}
        {runs !== null && !others.length && <option disabled>no other runs</option>}
      </select>
      {chosen.map((source) => (
        <button
          key={source.label}
          type="button"
          class="button quiet small"
          aria-label={`Compare no longer with ${source.label}`}
          onClick={() => onChange(chosen.filter((one) => one !== source))}
        >
          {source.label} ✕
        </button>
      ))}
    </>
  )
}
