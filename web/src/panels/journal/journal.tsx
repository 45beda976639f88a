/** Everything that was done to the session, on a line of frames: undo one of them, or go back to a frame. */

import { useComputed, useSignal } from '@preact/signals'
import { useEffect, useRef } from 'preact/hooks'
import { kept } from '../../kept'
import type { HistoryEntry } from '../../protocol'
import { shortened } from '../commands'
import { useStore } from '../context'
import { Blank } from '../forms/blank'
import { brief, whole } from '../numbers'
import { MARKS, SORT_NAMES, sortOf, windowOf, type Sort } from './timeline'
import { Track } from './track'

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
  const furthest = useFurthest(store.id.value, frame)
  const target = useSignal<number | null>(null)
  const goingTo = useSignal<number | null>(null)
  const entries = store.history.value
  const newest = windowOf(furthest, span.value)
  const window = frame < newest.first ? windowOf(frame, span.value) : newest
  const wanted = Math.min(goingTo.value ?? target.value ?? frame, furthest)
  useEffect(() => {
    if (target.value === frame) target.value = null
  }, [frame])
  const goTo = async (to: number) => {
    const by = to - (store.status.peek()?.clock.frame ?? 0)
    target.value = null
    if (!by || goingTo.value !== null) return
    goingTo.value = to
    await store.perform(by < 0 ? `back ${-by}` : `step ${by}`)
    goingTo.value = null
  }
  const isElsewhere = wanted !== frame && goingTo.value === null
  return (
    <div class="timeline" aria-busy={goingTo.value !== null}>
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
        <button type="button" class="button" disabled={!isElsewhere || state === 'stopping'} onClick={() => void goTo(wanted)}>
          {goingTo.value !== null && <span class="spinner" aria-hidden="true" />}
          {wordsOf(wanted, frame, goingTo.value !== null)}
        </button>
        {isElsewhere && (
          <button type="button" class="button quiet" onClick={() => (target.value = null)}>
            Stay
          </button>
        )}
        {isElsewhere && <span class="note">{costOf(wanted, frame, entries)}</span>}
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
      <Track
        window={window}
        frame={frame}
        furthest={furthest}
        wanted={wanted}
        entries={entries}
        chosen={chosen}
        onChoose={onChoose}
        onAim={(to) => (target.value = to)}
        onGo={(to) => void goTo(to)}
      />
    </div>
  )
}

/** The farthest frame that a session was at while it is shown: after going back, its line stays as long as it was. */
function useFurthest(id: string | null, frame: number): number {
  const known = useRef<{ id: string | null; frame: number }>({ id, frame })
  if (known.current.id !== id) known.current = { id, frame }
  known.current.frame = Math.max(known.current.frame, frame)
  return known.current.frame
}

function wordsOf(wanted: number, frame: number, isGoing: boolean): string {
  if (isGoing) return `Going to frame ${whole(wanted)}`
  if (wanted === frame) return 'Drag to go to a frame'
  return wanted < frame ? `Back to frame ${whole(wanted)}` : `On to frame ${whole(wanted)}`
}

/** What going to a frame means for what was done. */
function costOf(wanted: number, frame: number, entries: readonly HistoryEntry[]): string {
  if (wanted > frame) return 'computed again'
  const aside = entries.filter((entry) => entry.frame > wanted).length
  return aside ? `sets ${aside} command${aside === 1 ? '' : 's'} aside` : ''
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
        title={`Back to frame ${entry.frame}, at which it took effect`}
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
