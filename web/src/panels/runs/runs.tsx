/** All runs of the server: found, compared, stopped, resumed, removed; and new ones started. */

import { useComputed, useSignal } from '@preact/signals'
import { useEffect, useState } from 'preact/hooks'
import { FaultError, faultText, type RunInfo } from '../../protocol'
import type { Store } from '../../session'
import { tabOf } from '../../shell/region'
import { useStore } from '../context'
import { Blank } from '../forms/blank'
import { Choice } from '../forms/choice'
import { Confirm } from '../forms/confirm'
import { brief, duration, whole } from '../numbers'
import { Compare } from './compare'
import { ExperimentForm } from './form'
import { canRemove, canResume, canStop, MARKS, metricNames, metricOf, sorted, suits, type SortKey } from './standing'

type Page = 'list' | 'compare' | 'new'

const PACE = 2000
/** So many of the first looks follow sooner: what was asked for, such as a stop, takes a moment. */
const SOON = 8
const METRICS_SHOWN = 3

export function Runs() {
  const store = useStore()
  const page = useSignal<Page>('list')
  const chosen = useSignal<readonly string[]>([])
  const [initial, setInitial] = useState<string | null>(null)
  const open = (id: string) => {
    store.open(id)
    tabOf('view').value = 'net'
  }
  return (
    <div class="runs">
      <div class="toolbar">
        <Choice
          label="Page"
          options={[
            { value: 'list', label: 'All runs' },
            { value: 'compare', label: `Compare${chosen.value.length ? ` ${chosen.value.length}` : ''}`, title: 'The runs that are ticked in the list' },
            { value: 'new', label: 'New run' },
          ]}
          value={page.value}
          onChange={(next) => (page.value = next)}
        />
      </div>
      {page.value === 'list' && (
        <RunList
          chosen={chosen.value}
          onChoose={(next) => (chosen.value = next)}
          onOpen={open}
          onCompare={() => (page.value = 'compare')}
          onCopy={(document) => {
            setInitial(document)
            page.value = 'new'
          }}
          onNew={() => (page.value = 'new')}
        />
      )}
      {page.value === 'compare' &&
        (chosen.value.length ? <Compare ids={chosen.value} /> : <Blank title="No runs are ticked">Tick runs in the list to see them beside each other.</Blank>)}
      {page.value === 'new' && (
        <ExperimentForm
          initial={initial}
          onStarted={(id, isLive) => {
            page.value = 'list'
            if (isLive) open(id)
          }}
        />
      )}
    </div>
  )
}

interface ListProps {
  chosen: readonly string[]
  onChoose(chosen: readonly string[]): void
  onOpen(id: string): void
  onCompare(): void
  onCopy(document: string): void
  onNew(): void
}

function RunList({ chosen, onChoose, onOpen, onCompare, onCopy, onNew }: ListProps) {
  const store = useStore()
  const { runs, fault, reload } = useRuns()
  const [filter, setFilter] = useState('')
  const [order, setOrder] = useState<[SortKey, boolean]>(['updated', true])
  const [removing, setRemoving] = useState<RunInfo | null>(null)
  const [refused, setRefused] = useState<string | null>(null)
  const [busy, setBusy] = useState<string | null>(null)
  if (fault && !runs) return <Blank title="The runs cannot be listed">{fault}</Blank>
  if (!runs) return <Blank title="Reading the runs" isBusy />
  const perform = async (id: string, deed: () => Promise<unknown>) => {
    setBusy(id)
    setRefused(null)
    try {
      await deed()
    } catch (error) {
      setRefused(error instanceof FaultError ? error.faults.map(faultText).join('\n') : String(error))
    } finally {
      setBusy(null)
      reload()
    }
  }
  if (!runs.length) {
    return (
      <Blank title="There are no runs yet">
        <button type="button" class="button primary" onClick={onNew}>
          Start one
        </button>
      </Blank>
    )
  }
  const found = sorted(runs.filter((run) => suits(run, filter)), ...order)
  const metrics = metricNames(found, METRICS_SHOWN)
  const head = (key: SortKey, label: string, isNumber = false) => (
    <th scope="col" class={isNumber ? 'number' : undefined} aria-sort={order[0] === key ? (order[1] ? 'descending' : 'ascending') : 'none'}>
      <button type="button" class="link" onClick={() => setOrder([key, order[0] === key ? !order[1] : key !== 'id'])}>
        {label}
        <span aria-hidden="true">{order[0] === key ? (order[1] ? ' ▾' : ' ▴') : ''}</span>
      </button>
    </th>
  )
  return (
    <>
      <div class="toolbar">
        <input
          type="search"
          class="field grow"
          placeholder="Filter by name or status"
          aria-label="Filter runs"
          value={filter}
          onInput={(event) => setFilter(event.currentTarget.value)}
        />
        <span class="note">
          {whole(found.length)} of {whole(runs.length)}
        </span>
        <button type="button" class="button" disabled={!chosen.length} onClick={onCompare}>
          Compare {chosen.length || ''}
        </button>
        <button type="button" class="button quiet" disabled={!chosen.length} onClick={() => onChoose([])}>
          Untick all
        </button>
      </div>
      {(refused ?? fault) && (
        <p class="field-fault refused" role="alert">
          {refused ?? `This list is not up to date: ${fault}`}
        </p>
      )}
      <div class="table">
        <table>
          <thead>
            <tr>
              <th scope="col">
                <span class="hidden-visually">Compare</span>
              </th>
              {head('id', 'run')}
              {head('status', 'status')}
              {head('step', 'step', true)}
              {metrics.map((name) => (
                <th key={name} scope="col" class="number">
                  {name}
                </th>
              ))}
              {head('updated', 'updated')}
              <th scope="col">
                <span class="hidden-visually">What can be done</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {found.map((run) => (
              <tr key={run.id} class={run.id === store.id.value ? 'chosen' : undefined}>
                <td>
                  <input
                    type="checkbox"
                    aria-label={`Compare ${run.id}`}
                    checked={chosen.includes(run.id)}
                    onChange={(event) => onChoose(event.currentTarget.checked ? [...chosen, run.id] : chosen.filter((id) => id !== run.id))}
                  />
                </td>
                <td>
                  {run.live ? (
                    <button type="button" class="link" title="Show this session" onClick={() => onOpen(run.id)}>
                      {run.id}
                    </button>
                  ) : (
                    run.id
                  )}
                </td>
                <td>
                  <span class={`status ${run.status}`} title={run.error ?? undefined}>
                    <span aria-hidden="true">{MARKS[run.status] ?? '·'}</span> {run.status}
                  </span>
                  {run.live && <span class="badge live">live</span>}
                </td>
                <td class="number">
                  <Step run={run} />
                </td>
                {metrics.map((name) => (
                  <td key={name} class="number">
                    {brief(metricOf(run, name), 4)}
                  </td>
                ))}
                <td title={run.updated ? new Date(run.updated * 1000).toLocaleString() : ''}>
                  {run.updated ? `${duration(Date.now() / 1000 - run.updated)} ago` : '–'}
                </td>
                <td class="acts">
                  {run.live && (
                    <button type="button" class="button small" onClick={() => onOpen(run.id)}>
                      Open
                    </button>
                  )}
                  {canStop(run) && (
                    <button type="button" class="button small" disabled={busy === run.id} onClick={() => void perform(run.id, () => store.rest.post(`runs/${run.id}/stop`))}>
                      Stop
                    </button>
                  )}
                  {canResume(run) && (
                    <button type="button" class="button small" disabled={busy === run.id} onClick={() => void perform(run.id, () => resumed(store, run.id))}>
                      Resume
                    </button>
                  )}
                  <button
                    type="button"
                    class="button quiet small"
                    title="A new run of its document"
                    onClick={() =>
                      void perform(run.id, async () => onCopy((await store.rest.get<{ document: string }>(`runs/${run.id}`)).document))
                    }
                  >
                    Copy
                  </button>
                  <button type="button" class="button quiet danger small" disabled={!canRemove(run) || busy === run.id} onClick={() => setRemoving(run)}>
                    Remove
                  </button>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
        {!found.length && <Blank title="No run suits the filter" />}
      </div>
      {removing && (
        <Confirm
          title={`Remove ${removing.id}?`}
          action="Remove"
          isDangerous
          onCancel={() => setRemoving(null)}
          onConfirm={() => {
            const run = removing
            setRemoving(null)
            onChoose(chosen.filter((id) => id !== run.id))
            void perform(run.id, () => store.rest.delete(`runs/${run.id}`))
          }}
        >
          <p>Its checkpoints, metrics, journal and pictures are deleted. This cannot be undone.</p>
        </Confirm>
      )}
    </>
  )
}

/** Lets a run go on, and shows it again if its end is what the page shows. */
async function resumed(store: Store, id: string): Promise<void> {
  await store.rest.post(`runs/${id}/resume`)
  if (store.id.peek() === id && store.connection.peek() === 'ended') store.open(id)
}

/** The step of a run; of the session that is shown, as its clock tells it, since a record is behind. */
function Step({ run }: { run: RunInfo }) {
  const status = useStore().status.value
  return <>{whole(status?.id === run.id ? status.clock.step : run.step)}</>
}

/** The list of runs, read again every few seconds while it is in view; soon after something was done, and when the session's own state changes. */
function useRuns(): { runs: RunInfo[] | null; fault: string | null; reload(): void } {
  const store = useStore()
  const [runs, setRuns] = useState<RunInfo[] | null>(null)
  const [fault, setFault] = useState<string | null>(null)
  const [turn, setTurn] = useState(0)
  const standing = useComputed(() => `${store.id.value} ${store.connection.value} ${store.status.value?.state}`).value
  useEffect(() => {
    const abort = new AbortController()
    let timer: ReturnType<typeof setTimeout> | undefined
    let count = 0
    const read = async () => {
      clearTimeout(timer)
      try {
        const answer = await store.rest.get<RunInfo[] | { runs: RunInfo[] }>('runs', {}, abort.signal)
        setRuns(Array.isArray(answer) ? answer : answer.runs)
        setFault(null)
      } catch (error) {
        if (!abort.signal.aborted) setFault(error instanceof FaultError ? error.faults.map(faultText).join('; ') : String(error))
      }
      clearTimeout(timer)
      if (!abort.signal.aborted) timer = setTimeout(() => (document.hidden ? undefined : void read()), (count += 1) < SOON ? PACE / 4 : PACE)
    }
    const seen = () => {
      if (!document.hidden) void read()
    }
    void read()
    document.addEventListener('visibilitychange', seen)
    return () => {
      abort.abort()
      clearTimeout(timer)
      document.removeEventListener('visibilitychange', seen)
    }
  }, [turn, standing])
  return { runs, fault, reload: () => setTurn((before) => before + 1) }
}
