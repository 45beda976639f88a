/** The page: a bar, the net in the middle, panels around it. */

import { computed } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import { kept } from './kept'
import { NetView } from './net/view'
import { Outline } from './net/outline'
import { panels } from './panels'
import { store, type Connection } from './session'
import { Region } from './shell/region'
import { Splitter } from './shell/splitter'

const isSmall = innerWidth < 1500
const LEFT = isSmall ? 214 : 250
const RIGHT = isSmall ? 296 : 340
const BOTTOM = innerHeight < 800 ? 196 : 240
const left = kept('size.left', LEFT)
const right = kept('size.right', RIGHT)
const bottom = kept('size.bottom', BOTTOM)

const sizes = computed(() => ({
  '--left': `${left.value}px`,
  '--right': `${right.value}px`,
  '--bottom': `${bottom.value}px`,
}))

export function App() {
  useEffect(() => {
    document.title = titleOf(store.id.value, store.connection.value, store.status.value?.state)
  }, [store.id.value, store.connection.value, store.status.value?.state])
  return (
    <main class="shell" style={sizes.value}>
      <header class="bar">
        <div class="brand">
          <img src="./icon.svg" alt="" />
          <h1>rillnet</h1>
        </div>
        <panels.SessionChoice />
        <div class="transport">
          <panels.Transport />
        </div>
        <Connected />
        <panels.Settings />
      </header>
      <Region name="left" label="Net and runs" panels={[{ id: 'outline', label: 'Net', View: Outline }, ...panels.left]} />
      <Splitter side="left" label="Width of the left panel" size={left} initial={LEFT} least={160} most={() => innerWidth / 3} />
      <Region name="view" label="View" panels={[{ id: 'net', label: 'Net', View: NetView }, ...panels.views]} />
      <Splitter side="right" label="Width of the right panel" size={right} initial={RIGHT} least={220} most={() => innerWidth / 2.5} />
      <Region name="right" label="Selected" panels={panels.right} />
      <Splitter side="bottom" label="Height of the lower panel" size={bottom} initial={BOTTOM} least={110} most={() => innerHeight * 0.6} />
      <Region name="bottom" label="Charts and journal" panels={panels.bottom} />
      <panels.Toasts />
    </main>
  )
}

/** The page's name among the browser's tabs: which session, and whether it stands still. */
function titleOf(id: string | null, connection: Connection, state: string | undefined): string {
  if (!id) return 'rillnet'
  const mark = connection === 'lost' ? '⚠ ' : connection === 'ended' ? '■ ' : state === 'paused' ? '❚❚ ' : ''
  return `${mark}${id} · rillnet`
}

const WORDS = {
  closed: 'no session',
  connecting: 'connecting',
  open: 'live',
  lost: 'connection lost',
  ended: 'ended',
}

function Connected() {
  const connection = store.connection.value
  const told = store.ended.value ?? store.trouble.value ?? (connection === 'lost' ? 'the page tries to reach the session again' : (store.id.value ?? ''))
  return (
    <span class={`connection ${connection}`} role="status" title={told}>
      {WORDS[connection]}
      {connection === 'lost' && store.trouble.value && <span class="trouble">{store.trouble.value}</span>}
    </span>
  )
}
