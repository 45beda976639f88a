/** Changes of the net itself: connect, disconnect, add, remove, widen. The session says whether a change is valid. */

import { useId, useState } from 'preact/hooks'
import type { BlockInfo, Description } from '../../protocol'
import { edgesOf } from '../../session'
import { command, word } from '../commands'
import { useStore } from '../context'
import { Confirm } from '../forms/confirm'
import { NumberField } from '../forms/number'
import { FaultList, useTries } from '../forms/tries'
import { Section } from './section'

export function Wiring({ description, path }: { description: Description; path: string }) {
  const store = useStore()
  const { into, out } = edgesOf(description, path)
  const row = (edge: (typeof into)[number], other: string, arrow: string) => (
    <li key={`${edge.from} ${edge.to} ${edge.port}`}>
      <button
        type="button"
        class="link"
        title={`The edge ${edge.from}->${edge.to}`}
        onClick={() => (store.selection.value = { kind: 'edge', from: edge.from, to: edge.to, port: edge.port })}
      >
        <span aria-hidden="true">{arrow}</span> {other}
      </button>
      <span class="note">{edge.delay ? `${edge.delay} frame${edge.delay > 1 ? 's' : ''} later` : 'same frame'}</span>
    </li>
  )
  return (
    <Section id="wiring" title="Edges" note={`${into.length} in, ${out.length} out`} isOpen={false}>
      <ul class="wiring">
        {into.map((edge) => row(edge, edge.from, '←'))}
        {out.map((edge) => row(edge, edge.to, '→'))}
      </ul>
    </Section>
  )
}

export function Structure({ description, block }: { description: Description; block: BlockInfo }) {
  return (
    <Section id="structure" title="Change the net" isOpen={false}>
      <Connect description={description} path={block.path} />
      {block.parameters.length > 0 && <Widen block={block} />}
      <AddAfter description={description} path={block.path} />
      <Remove path={block.path} />
    </Section>
  )
}

function Connect({ description, path }: { description: Description; path: string }) {
  const { attempt, faults, isBusy } = useTries()
  const [target, setTarget] = useState('')
  const [delay, setDelay] = useState(0)
  const list = useId()
  return (
    <form
      class="edit"
      aria-label="Connect"
      onSubmit={(event) => {
        event.preventDefault()
        void attempt(command('connect', [word(`${path}->${target}`)], delay ? { delay } : {})).then((isDone) => isDone && setTarget(''))
      }}
    >
      <span class="edit-name">Connect to</span>
      <input class="field" list={list} aria-label="Connect to" required value={target} onInput={(event) => setTarget(event.currentTarget.value)} />
      <datalist id={list}>
        {description.blocks.slice(0, 500).map((block) => (
          <option key={block.path} value={block.path} />
        ))}
      </datalist>
      <NumberField label="Delay" whole min={0} value={delay} onCommit={setDelay} />
      <button type="submit" class="button" disabled={!target || isBusy}>
        Connect
      </button>
      <FaultList faults={faults} />
    </form>
  )
}

function Widen({ block }: { block: BlockInfo }) {
  const { attempt, faults, isBusy } = useTries()
  const now = (Array.isArray(block.shape?.[0]) ? block.shape[0][0] : (block.shape?.[0] as number | undefined)) ?? 1
  const [size, setSize] = useState(now)
  return (
    <form
      class="edit"
      aria-label="Widen"
      onSubmit={(event) => {
        event.preventDefault()
        void attempt(command('widen', [word(block.path), String(size)]))
      }}
    >
      <span class="edit-name">Widen to</span>
      <NumberField label="Features" hideLabel whole min={1} value={size} onCommit={setSize} unit={`now ${now}`} />
      <button type="submit" class="button" disabled={isBusy || size === now}>
        Widen
      </button>
      <FaultList faults={faults} />
    </form>
  )
}

function AddAfter({ description, path }: { description: Description; path: string }) {
  const store = useStore()
  const { attempt, faults, isBusy } = useTries()
  const [name, setName] = useState('')
  const [mapping, setMapping] = useState('type: ReLU')
  const own = name && description.blocks.some((block) => block.path === name) ? `there is a block ${name} already` : null
  return (
    <form
      class="edit"
      aria-label="Add a block"
      onSubmit={(event) => {
        event.preventDefault()
        if (own) return
        const inner = mapping.trim().replace(/^\{|\}$/g, '')
        const from = /(^|,)\s*from\s*:/.test(inner) ? '' : `, from: ${path}`
        void attempt(`add ${word(name)} {${inner}${from}}`).then((isDone) => {
          if (!isDone) return
          store.selection.value = { kind: 'block', path: name }
        })
      }}
    >
      <span class="edit-name">Add after it</span>
      <input class="field" aria-label="Name of the new block" placeholder="name" required value={name} onInput={(event) => setName(event.currentTarget.value.trim())} />
      <input
        class="field mono grow"
        aria-label="Type and arguments of the new block"
        title="As in a document: type: Linear, out_features: 10"
        required
        spellcheck={false}
        value={mapping}
        onInput={(event) => setMapping(event.currentTarget.value)}
      />
      <button type="submit" class="button" disabled={!name || own !== null || isBusy}>
        Add
      </button>
      <FaultList faults={own ? [own] : faults} />
    </form>
  )
}

function Remove({ path }: { path: string }) {
  const store = useStore()
  const { attempt, faults, isBusy } = useTries()
  const [asks, setAsks] = useState(false)
  return (
    <div class="edit">
      <button type="button" class="button danger" disabled={isBusy} onClick={() => setAsks(true)}>
        Remove this block …
      </button>
      <FaultList faults={faults} />
      {asks && (
        <Confirm
          title={`Remove ${path}?`}
          action="Remove"
          isDangerous
          onCancel={() => setAsks(false)}
          onConfirm={() => {
            setAsks(false)
            void attempt(command('remove', [word(path)])).then((isDone) => {
              if (isDone) store.selection.value = null
            })
          }}
        >
          <p>The block, its parameters and its edges go. Undo brings them back.</p>
        </Confirm>
      )}
    </div>
  )
}
