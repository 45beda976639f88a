/** Everything that was done to the session, on a line of frames: undo one of them, or go back to a frame. */

import { useComputed, useSignal } from '@preact/signals'
import { useEffect, useRef } from 'preact/hooks'
import { kept } from '../../kept'
import type { HistoryEntry } from '../../protocol'
import { shortened } from '../commands'
import { useStore } from '../context'
import { Blank } from '../forms/blank'
import { brief, whole } from '../numbers'
import { clusters, frameAt, MARKS, shareOf, SORT_NAMES, sortOf, ticks, windowOf, type Sort } from './timeline'

const span = kept<number | null>('journal.span', null)
const SPANS: readonly (number | null)[] = [null, 10_000, 1000, 100]
const ROWS = 300

export function Journal() {
  const store = useStore()
  const chosen = useSignal<number | null>(null)
  if (!store.id.value) return <Blank title="No session is shown" />
  if (!store.status.value) return <Blank title="Asking for the journal" isBusy />
  return (
    <div class="journal">
      <Timeline chosen={chosen.value} onChoose={(number) => (chosen.value = number)} />
      <Entries chosen={chosen.value} onChoose={(number) => (chosen.value = number)} />
    </div>
  )
}

interface Props {
  /** The number of the entry that is pointed out. */
  chosen: number | null
  onChoose(number: number | null): void
}

function Timeline({ chosen, onChoose }: Props) {
  const store = useStore()
  const frame = useComputed(() => store.status.value?.clock.frame ?? 0).value
  const state = useComputed(() => store.status.value?.state).value
  const target = useSignal<number | null>(null)
  const entries = store.history.value
  const window = windowOf(frame, span.value)
  const wanted = target.value === null ? frame : Math.min(target.value, frame)
  useEffect(() => {
    if (target.value !== null && target.value >= frame) target.value = null
  }, [frame])
  const goBack = () => {
    const frames = (store.status.peek()?.clock.frame ?? 0) - wanted
    target.value = null
    if (frames > 0) void store.perform(`back ${frames}`)
  }
  const percent = (share: number) => `${(share * 100).toFixed(3)}%`
  return (
    <div class="timeline">
      <div class="toolbar">
        <span>
          frame <b>{whole(frame)}</b>
        </span>
        <select class="field" aria-label="Frames shown" value={String(span.value)} onChange={(event) => (span.value = asSpan(event.currentTarget.value))}>
          {SPANS.map((one) => (
            <option key={String(one)} value={String(one)}>
              {one === null ? 'all frames' : `newest ${whole(one)}`}
            </option>
          ))}
        </select>
        <button type="button" class="button" disabled={wanted >= frame || state === 'stopping'} onClick={goBack}>
          {wanted < frame ? `Back to frame ${whole(wanted)}` : 'Drag to go back'}
        </button>
        {wanted < frame && (
          <button type="button" class="button quiet" onClick={() => (target.value = null)}>
            Stay
          </button>
        )}
        <span class="spread" />
        <ul class="sorts" aria-label="Marks">
          {(Object.keys(MARKS) as Sort[]).map((sort) => (
            <li key={sort}>
              <span class={`mark ${sort}`} aria-hidden="true">
                {MARKS[sort]}
              </span>
              {SORT_NAMES[sort]}
            </li>
          ))}
        </ul>
      </div>
      <div class="track">
        {ticks(window, 10).filter((at) => shareOf(at, window) < 0.97).map((at) => (
          <span key={at} class="tick" style={{ left: percent(shareOf(at, window)) }}>
            {whole(at)}
          </span>
        ))}
        <span class="reached" style={{ width: percent(shareOf(wanted, window)) }} />
        {clusters(entries, window, 0.012).map((cluster) => {
          const first = cluster.entries[0]!
          const told = cluster.entries.map((entry) => `${whole(entry.frame)}: ${shortened(entry.text, 60)}`).join('\n')
          return (
            <button
              key={`${cluster.sort} ${first.number}`}
              type="button"
              class={`mark ${cluster.sort}${cluster.entries.some((entry) => entry.number === chosen) ? ' chosen' : ''}${cluster.entries.every((entry) => entry.undone) ? ' undone' : ''}`}
              style={{ left: percent(cluster.at) }}
              title={told}
              aria-label={cluster.entries.length > 1 ? `${cluster.entries.length} commands from frame ${whole(first.frame)}` : told}
              tabIndex={-1}
              onClick={() => onChoose(first.number)}
            >
              {MARKS[cluster.sort]}
              {cluster.entries.length > 1 && <sub>{cluster.entries.length}</sub>}
            </button>
          )
        })}
        <input
          type="range"
          class="scrub"
          min={0}
          max={10_000}
          step={1}
          value={Math.round(shareOf(wanted, window) * 10_000)}
          aria-label="Frame to go back to"
          aria-valuetext={`frame ${wanted} of ${frame}`}
          onInput={(event) => {
            const to = frameAt(Number(event.currentTarget.value) / 10_000, window)
            target.value = to >= frame ? null : to
          }}
          onKeyDown={(event) => {
            if (event.key === 'Enter') goBack()
            else if (event.key === 'ArrowLeft') target.value = Math.max(window.first, wanted - 1)
            else if (event.key === 'ArrowRight') target.value = wanted + 1 >= frame ? null : wanted + 1
            else return
            event.preventDefault()
          }}
        />
      </div>
    </div>
  )
}

function asSpan(text: string): number | null {
  return text === 'null' ? null : Number(text)
}

function Entries({ chosen, onChoose }: Props) {
  const store = useStore()
  const entries = store.history.value
  const filter = useSignal('')
  const row = useRef<HTMLTableRowElement>(null)
  useEffect(() => row.current?.scrollIntoView?.({ block: 'nearest' }), [chosen])
  if (!entries.length) {
    return <Blank title="Nothing was done to this session yet">Commands from this page, the shell and Python are listed here with the frame at which they took effect.</Blank>
  }
  const found = entries.filter((entry) => entry.text.toLowerCase().includes(filter.value.toLowerCase()))
  const shown = found.slice(-ROWS).reverse()
  return (
    <div class="entries">
      <table>
        <thead>
          <tr>
            <th class="number">#</th>
            <th class="number">frame</th>
            <th class="number">step</th>
            <th>
              command{' '}
              <input
                type="search"
                class="field"
                placeholder="Filter"
                aria-label="Filter commands"
                value={filter.value}
                onInput={(event) => (filter.value = event.currentTarget.value)}
              />
            </th>
            <th>from</th>
            <th>
              <span class="hidden-visually">Undo or go back</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {shown.map((entry) => (
            <tr
              key={entry.number}
              ref={entry.number === chosen ? row : undefined}
              class={`${entry.number === chosen ? 'chosen' : ''} ${entry.undone ? 'undone' : ''}`}
              onClick={() => onChoose(entry.number)}
            >
              <td class="number">{entry.number}</td>
              <td class="number">{whole(entry.frame)}</td>
              <td class="number">{whole(entry.step)}</td>
              <td class="did">
                <span class={`mark ${sortOf(entry)}`} aria-hidden="true">
                  {MARKS[sortOf(entry)]}
                </span>{' '}
                <code title={shortened(entry.text, 400)}>{shortened(entry.text)}</code>
                {entry.undone && <span class="badge">undone</span>}
              </td>
              <td class="note">
                {entry.origin}
                {timeOf(entry)}
              </td>
              <td class="acts">
                <EntryDeeds entry={entry} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {found.length > ROWS && <p class="note">The newest {ROWS} of {brief(found.length)}; filter for older ones.</p>}
      {!found.length && <p class="note">No command contains “{filter.value}”.</p>}
    </div>
  )
}

function EntryDeeds({ entry }: { entry: HistoryEntry }) {
  const store = useStore()
  return (
    <>
      <button
        type="button"
        class="button small"
        disabled={!entry.undoable}
        title={entry.undoable ? `undo ${entry.number}` : entry.undone ? 'It was undone.' : 'It cannot be undone.'}
        onClick={() => void store.perform(`undo ${entry.number}`)}
      >
        Undo
      </button>
      <button
        type="button"
        class="button quiet small"
        title={`Back to frame ${entry.frame}, before it`}
        onClick={() => {
          const frames = (store.status.peek()?.clock.frame ?? 0) - entry.frame
          if (frames > 0) void store.perform(`back ${frames}`)
        }}
      >
        Back to it
      </button>
    </>
  )
}

function timeOf(entry: HistoryEntry & { time?: number }): string {
  if (!entry.time) return ''
  return ` ${new Date(entry.time * 1000).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', second: '2-digit' })}`
}
