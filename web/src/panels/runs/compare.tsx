/** Runs beside each other: in what their documents differ, where their numbers stand, and how they came there. */

import { useEffect, useMemo, useState } from 'preact/hooks'
import { useSignal } from '@preact/signals'
import { FaultError, faultText, type RunInfo } from '../../protocol'
import { Buffers } from '../charts/buffers'
import { lineColour } from '../charts/colours'
import { loadMetrics } from '../charts/live'
import { MetricCharts, type Source } from '../charts/metrics'
import { useStore } from '../context'
import { Blank } from '../forms/blank'
import { brief, whole } from '../numbers'
import { isDark } from '../../theme'
import { differences, metricNames, metricOf, MARKS } from './standing'

interface Details extends RunInfo {
  values: Record<string, unknown>
  document: string
}

const PACE = 4000

export function Compare({ ids }: { ids: readonly string[] }) {
  const store = useStore()
  const [details, setDetails] = useState<Details[] | null>(null)
  const [fault, setFault] = useState<string | null>(null)
  const [smoothing, setSmoothing] = useState(0)
  const isLog = useSignal(false)
  const key = ids.join()
  const sources = useMemo<Source[]>(() => ids.map((label) => ({ label, buffers: new Buffers() })), [key])
  useEffect(() => {
    let isHere = true
    const load = async () => {
      try {
        const found = await Promise.all(ids.map((id) => store.rest.get<Details>(`runs/${id}`)))
        if (!isHere) return
        setDetails(found)
        setFault(null)
      } catch (error) {
        if (isHere) setFault(error instanceof FaultError ? error.faults.map(faultText).join('; ') : String(error))
      }
    }
    void load()
    const place = new Map<string, number>()
    const read = async () => {
      if (document.hidden) return
      await Promise.all(sources.map(({ label, buffers }) => loadMetrics(store, label, buffers, () => isHere, place)))
    }
    void read()
    const timer = setInterval(() => {
      void read()
      void load()
    }, PACE)
    return () => {
      isHere = false
      clearInterval(timer)
    }
  }, [key])
  if (fault) return <Blank title="These runs cannot be compared">{fault}</Blank>
  if (!details) return <Blank title="Reading the runs" isBusy />
  return (
    <div class="compare">
      <Table details={details} />
      <div class="toolbar">
        <label class="inline">
          Smoothing
          <input type="range" min={0} max={0.99} step={0.01} value={smoothing} onInput={(event) => setSmoothing(Number(event.currentTarget.value))} />
          <output>{smoothing.toFixed(2)}</output>
        </label>
        <label class="inline">
          <input type="checkbox" checked={isLog.value} onChange={(event) => (isLog.value = event.currentTarget.checked)} />
          Log scale
        </label>
      </div>
      <div class="chart-grid">
        <MetricCharts sources={sources} look={{ smoothing, isLog: isLog.value, filter: '', height: 190 }} />
      </div>
    </div>
  )
}

function Table({ details }: { details: readonly Details[] }) {
  const metrics = metricNames(details, 12)
  const differing = differences(details.map((one) => one.values ?? {}))
  return (
    <table class="compared">
      <thead>
        <tr>
          <td />
          {details.map((run, n) => (
            <th key={run.id} scope="col">
              {details.length > 1 && <span class="swatch" style={{ background: lineColour(n, isDark.value) }} aria-hidden="true" />}
              {run.id}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        <tr>
          <th scope="row">status</th>
          {details.map((run) => (
            <td key={run.id}>
              <span class={`status ${run.status}`}>
                <span aria-hidden="true">{MARKS[run.status]}</span> {run.status}
              </span>
              {run.error && <span class="note"> {run.error}</span>}
            </td>
          ))}
        </tr>
        <tr>
          <th scope="row">step</th>
          {details.map((run) => (
            <td key={run.id}>{whole(run.step)}</td>
          ))}
        </tr>
        {metrics.map((name) => {
          const values = details.map((run) => metricOf(run, name))
          return (
            <tr key={name}>
              <th scope="row">{name}</th>
              {values.map((value, n) => (
                <td key={details[n]!.id}>{brief(value, 4)}</td>
              ))}
            </tr>
          )
        })}
        {details.length > 1 && (
          <tr>
            <th scope="rowgroup" colSpan={details.length + 1} class="group">
              {differing.length ? 'in what the documents differ' : 'the documents are the same'}
            </th>
          </tr>
        )}
        {details.length > 1 &&
          differing.map(({ address, values }) => (
            <tr key={address}>
              <th scope="row">
                <code>{address}</code>
              </th>
              {values.map((value, n) => (
                <td key={details[n]!.id}>
                  <code>{value === undefined ? '–' : typeof value === 'string' ? value : JSON.stringify(value)}</code>
                </td>
              ))}
            </tr>
          ))}
      </tbody>
    </table>
  )
}
