/** Which block of which frame is computed when, in several rollouts side by side; the update steps follow the session. */

import { useComputed } from '@preact/signals'
import { useEffect, useMemo, useRef, useState } from 'preact/hooks'
import { FaultError, faultText } from '../../protocol'
import type { Store } from '../../session'
import { useStore } from '../context'
import { Blank } from '../forms/blank'
import { NumberField } from '../forms/number'
import { whole } from '../numbers'
import { atOnce, framesDone, keyOf, lastStep, linked, past, stateOf, wiresOf, type Cell, type RolloutInfo, type Rollouts } from './tableau'

const TITLES: Record<string, string> = {
  document: 'as this session runs',
  sequential: 'sequential',
  streaming: 'streaming',
  aligned: 'streaming, aligned',
}
const MOST_ROWS = 80

export function RolloutView() {
  const store = useStore()
  const id = store.id.value
  const revision = useComputed(() => store.description.value?.revision).value
  const [frames, setFrames] = useState(innerWidth < 1320 ? 5 : innerWidth < 1500 ? 6 : 8) // so that three stand side by side
  const [found, setFound] = useState<Record<string, RolloutInfo> | null>(null)
  const [refused, setRefused] = useState<readonly string[]>([])
  const [fault, setFault] = useState<string | null>(null)
  const [hidden, setHidden] = useState<readonly string[]>(['aligned'])
  useEffect(() => {
    if (!id || revision === undefined) return
    const abort = new AbortController()
    void ask(store, frames, abort.signal).then(([rollouts, faults]) => {
      if (abort.signal.aborted) return
      setFound(Object.keys(rollouts).length ? rollouts : null)
      setFault(faults.get('document') ?? null)
      setRefused([...faults].filter(([name]) => name !== 'document').map(([name, text]) => `${TITLES[name]}: ${text}`))
    })
    return () => abort.abort()
  }, [id, revision, frames])
  if (!id) return <Blank title="No session is shown" />
  if (fault) return <Blank title="The rollouts cannot be shown">{fault}</Blank>
  if (!found) return <Blank title="Asking for the rollouts" isBusy />
  const shown = Object.entries(found).filter(([name]) => !hidden.includes(name))
  return <Tableaus all={Object.keys(found)} refused={refused} shown={shown} frames={frames} setFrames={setFrames} hidden={hidden} setHidden={setHidden} />
}

/** The rollouts of the session's net by name, each asked for by itself: one may not be possible where another is. */
async function ask(store: Store, frames: number, signal: AbortSignal): Promise<[Record<string, RolloutInfo>, Map<string, string>]> {
  const faults = new Map<string, string>()
  const answers = await Promise.all(
    Object.keys(TITLES).map(async (policies) => {
      try {
        return await store.rest.get<Rollouts>(store.path('rollout'), { policies, frames }, signal)
      } catch (error) {
        faults.set(policies, error instanceof FaultError ? error.faults.map(faultText).join('; ') : String(error))
        return null
      }
    }),
  )
  return [Object.assign({}, ...answers.map((answer) => answer?.rollouts)), faults]
}

interface Props {
  all: string[]
  /** Why others are not shown. */
  refused: readonly string[]
  shown: [string, RolloutInfo][]
  frames: number
  setFrames(frames: number): void
  hidden: readonly string[]
  setHidden(hidden: readonly string[]): void
}

function Tableaus({ all, refused, shown, frames, setFrames, hidden, setHidden }: Props) {
  const store = useStore()
  const last = useMemo(() => lastStep(shown.map(([, info]) => info)), [shown])
  const [manual, setManual] = useState<number | null>(null)
  const [pointed, setPointed] = useState<Cell | null>(null)
  const frame = useComputed(() => store.status.value?.clock.frame ?? 0).value
  const followed = useFollowed(frame, last)
  const now = manual ?? followed
  return (
    <div class="rollout">
      <div class="toolbar">
        <label class="inline">
          Update step
          <input type="range" min={0} max={last} step={1} value={Math.min(now, last)} onInput={(event) => setManual(Number(event.currentTarget.value))} />
          <output>
            {Math.min(now, last)} of {last}
          </output>
        </label>
        <button type="button" class="button" aria-pressed={manual === null} onClick={() => setManual(manual === null ? Math.min(now, last) : null)}>
          Follow the session
        </button>
        <NumberField label="Frames" isShort whole min={1} max={40} value={frames} onCommit={setFrames} />
        {all.map((name) => (
          <label key={name} class="inline">
            <input
              type="checkbox"
              checked={!hidden.includes(name)}
              onChange={(event) => setHidden(event.currentTarget.checked ? hidden.filter((one) => one !== name) : [...hidden, name])}
            />
            {TITLES[name] ?? name}
          </label>
        ))}
        <ul class="sorts" aria-label="Cells">
          <li>
            <i class="cell given">0</i>given
          </li>
          <li>
            <i class="cell done">1</i>computed
          </li>
          <li>
            <i class="cell now">2</i>computed now
          </li>
          <li>
            <i class="cell waits">3</i>waits
          </li>
        </ul>
      </div>
      <div class="tableaus">
        {shown.map(([name, info]) => (
          <Tableau key={name} name={name} info={info} now={Math.min(now, last)} pointed={pointed} onPoint={setPointed} />
        ))}
        {!shown.length && <Blank title="No rollout is chosen" />}
        {refused.map((text) => (
          <p key={text} class="note">
            {text}
          </p>
        ))}
      </div>
    </div>
  )
}

/** The farthest that one look at the clock moves on: a session that runs fast is followed at a pace that eyes can follow. */
const STRIDE = 2

/** An update step that moves on with the session's frames, and begins anew when the tableau is done. */
function useFollowed(frame: number, last: number): number {
  const [now, setNow] = useState(0)
  const before = useRef(frame)
  useEffect(() => {
    const moved = frame - before.current
    before.current = frame
    if (!moved) return
    const by = Math.max(-STRIDE, Math.min(STRIDE, moved)) === moved ? moved : Math.sign(moved)
    setNow((from) => (from + by + last + 1) % (last + 1))
  }, [frame, last])
  return now
}

interface TableauProps {
  name: string
  info: RolloutInfo
  now: number
  pointed: Cell | null
  onPoint(cell: Cell | null): void
}

function Tableau({ name, info, now, pointed, onPoint }: TableauProps) {
  const store = useStore()
  const wires = useMemo(() => wiresOf(info), [info])
  const rows = Object.entries(info.tableau)
  const frames = (rows[0]?.[1].length ?? 1) - 1
  const near = pointed ? linked(wires, pointed, frames) : null
  const reads = new Set(near?.reads.map(keyOf))
  const readBy = new Set(near?.readBy.map(keyOf))
  const before = useMemo(() => (pointed ? past(wires, pointed) : null), [wires, pointed?.block, pointed?.frame])
  const done = framesDone(info, now)
  return (
    <figure class="tableau">
      <figcaption>
        <b>{TITLES[name] ?? name}</b>
        <span class="note">
          {info.inference_factor} update step{info.inference_factor === 1 ? '' : 's'} per frame · {atOnce(info, now)} at once · {done} frame{done === 1 ? '' : 's'} done
        </span>
      </figcaption>
      <table aria-label={`Update steps, ${TITLES[name] ?? name}`} onPointerLeave={() => onPoint(null)}>
        <thead>
          <tr>
            <th scope="col">frame</th>
            {Array.from({ length: frames + 1 }, (_, frame) => (
              <th key={frame} scope="col">
                {frame}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.slice(0, MOST_ROWS).map(([block, steps]) => (
            <tr key={block}>
              <th scope="row">
                <button type="button" class="link" title={block} onClick={() => (store.selection.value = { kind: 'block', path: block })}>
                  {block}
                </button>
              </th>
              {steps.map((step, frame) => {
                const key = keyOf({ block, frame })
                const link = pointed && keyOf(pointed) === key ? 'pointed' : reads.has(key) ? 'reads' : readBy.has(key) ? 'read-by' : before?.has(key) ? 'past' : ''
                const isFirst = info.first_response[block] === frame && frame > 0
                return (
                  <td key={frame} onPointerEnter={() => onPoint({ block, frame })}>
                    <span
                      class={`cell ${stateOf(step, now)} ${link}${isFirst ? ' first' : ''}`}
                      title={`${block}, frame ${frame}: ready after update step ${step}${isFirst ? '; the first that depends on what the inputs showed in frame 0' : ''}`}
                    >
                      {step}
                    </span>
                  </td>
                )
              })}
            </tr>
          ))}
        </tbody>
      </table>
      {rows.length > MOST_ROWS && <p class="note">The first {MOST_ROWS} of {whole(rows.length)} blocks.</p>}
    </figure>
  )
}
