/** Starts an experiment from its document: chosen from those that lie here, or written, and checked as it is written. */

import { useEffect, useRef, useState } from 'preact/hooks'
import { FaultError, faultText, type Fault } from '../../protocol'
import { useStore } from '../context'
import { Editor } from './editor'
import { FIRST_DOCUMENT } from './first'

interface Experiment {
  name: string
  path: string | null
  runs: number
}

interface Props {
  /** A document to begin with. */
  initial: string | null
  onStarted(id: string, isLive: boolean): void
}

type Check = { state: 'checking' | 'unchecked' } | { state: 'valid'; experiment: string | null } | { state: 'wrong'; faults: Fault[] }

/** How long nothing is typed before the document is checked. */
const REST = 350

export function ExperimentForm({ initial, onStarted }: Props) {
  const store = useStore()
  const [text, setText] = useState(initial ?? FIRST_DOCUMENT)
  const [changes, setChanges] = useState('')
  const [isFresh, setFresh] = useState(false)
  const [check, setCheck] = useState<Check>({ state: 'unchecked' })
  const [refused, setRefused] = useState<string[]>([])
  const [isBusy, setBusy] = useState(false)
  const [known, setKnown] = useState<Experiment[]>([])
  const turn = useRef(0)
  useEffect(() => {
    if (initial !== null) setText(initial)
  }, [initial])
  useEffect(() => {
    store.rest.get<{ experiments: Experiment[] }>('experiments').then(
      (answer) => setKnown(answer.experiments.filter((one) => one.path !== null)),
      () => setKnown([]),
    )
  }, [])
  const { set, faults: wrongChanges } = readChanges(changes)
  useEffect(() => {
    const own = (turn.current += 1)
    setRefused([])
    setCheck({ state: 'checking' })
    const timer = setTimeout(() => {
      void store.rest.post<{ faults: Fault[]; experiment?: string | null }>('validate', { document: text, set }).then(
        (answer) => {
          if (own !== turn.current) return
          setCheck(answer.faults.length ? { state: 'wrong', faults: answer.faults } : { state: 'valid', experiment: answer.experiment ?? null })
        },
        (error: unknown) => {
          if (own === turn.current) setCheck({ state: 'wrong', faults: faultsOf(error) })
        },
      )
    }, REST)
    return () => clearTimeout(timer)
  }, [text, changes])

  const choose = async (path: string) => {
    if (!path) return
    try {
      setText((await store.rest.get<{ text: string }>('experiments/text', { path })).text)
    } catch (error) {
      setRefused(faultsOf(error).map(faultText))
    }
  }
  const start = async () => {
    setBusy(true)
    setRefused([])
    try {
      const run = await store.rest.post<{ id: string; live?: boolean }>('runs', { document: text, set, fresh: isFresh })
      onStarted(run.id, run.live ?? false)
    } catch (error) {
      setRefused(faultsOf(error).map(faultText))
    } finally {
      setBusy(false)
    }
  }
  return (
    <form
      class="experiment-form"
      onSubmit={(event) => {
        event.preventDefault()
        if (check.state === 'valid' && !wrongChanges.length) void start()
      }}
    >
      <div class="toolbar">
        <select class="field" aria-label="Take a document that lies here" value="" onChange={(event) => void choose(event.currentTarget.value)}>
          <option value="">{known.length ? 'Take a document …' : 'No documents lie here'}</option>
          {known.map((one) => (
            <option key={one.path} value={one.path!}>
              {one.path} ({one.name})
            </option>
          ))}
        </select>
        <input
          class="field mono grow"
          aria-label="Changes of single values"
          title="As rillnet run --set takes them, parted by spaces"
          placeholder="changes: run.epochs=2 learning.main.optimizer.lr=0.01"
          spellcheck={false}
          value={changes}
          onInput={(event) => setChanges(event.currentTarget.value)}
        />
        <label class="inline" title="Also where the same document was run before">
          <input type="checkbox" checked={isFresh} onChange={(event) => setFresh(event.currentTarget.checked)} />
          Begin anew
        </label>
        <CheckWords check={check} />
        <button type="submit" class="button primary" disabled={check.state !== 'valid' || wrongChanges.length > 0 || isBusy}>
          {isBusy ? 'Starting …' : 'Start'}
        </button>
      </div>
      {[...wrongChanges, ...refused].length > 0 && (
        <ul class="fault-list" role="alert">
          {[...wrongChanges, ...refused].map((one) => (
            <li key={one}>{one}</li>
          ))}
        </ul>
      )}
      <Editor label="The experiment's document" text={text} faults={check.state === 'wrong' ? check.faults : []} onInput={setText} />
    </form>
  )
}

function CheckWords({ check }: { check: Check }) {
  switch (check.state) {
    case 'valid':
      return (
        <span class="check good" role="status">
          ✓ {check.experiment ? `${check.experiment} is valid` : 'valid'}
        </span>
      )
    case 'wrong':
      return (
        <span class="check bad" role="status">
          ✕ {check.faults.length} fault{check.faults.length === 1 ? '' : 's'}
        </span>
      )
    default:
      return (
        <span class="check note" role="status">
          checking
        </span>
      )
  }
}

function faultsOf(error: unknown): Fault[] {
  return error instanceof FaultError ? error.faults : [{ address: '', rule: String(error) }]
}

/** Changes as `--set` takes them, `a.b=1 c=[1, 2]`, by address; and what is wrong with them. */
export function readChanges(text: string): { set: Record<string, unknown>; faults: string[] } {
  const set: Record<string, unknown> = {}
  const faults: string[] = []
  for (const word of text.trim().match(/(?:[^\s"'[{]+|"[^"]*"|'[^']*'|\[[^\]]*\]|\{[^}]*\})+/g) ?? []) {
    const at = word.indexOf('=')
    if (at <= 0) {
      faults.push(`${word}: must be written as address=value`)
      continue
    }
    set[word.slice(0, at)] = meaning(word.slice(at + 1))
  }
  return { set, faults }
}

function meaning(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return /^'.*'$/.test(text) ? text.slice(1, -1) : text
  }
}
