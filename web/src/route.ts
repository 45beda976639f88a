/** Which session the page shows: the address bar's `#/name/n`, or the newest that lives. */

import { effect } from '@preact/signals'
import { FaultError } from './protocol'
import { store } from './session'
import { tabOf } from './shell/region'

interface Listed {
  id: string
  state?: string
}

export function follow(): void {
  forgetToken()
  addEventListener('hashchange', shown)
  effect(() => {
    const id = store.id.value
    if (id && wanted() !== id) history.replaceState(null, '', `#/${id}`)
  })
  if (wanted()) shown()
  else void newest()
}

function wanted(): string {
  return decodeURIComponent(location.hash.replace(/^#\/?/, ''))
}

function shown(): void {
  const id = wanted()
  if (id && id !== store.id.peek()) store.open(id)
}

async function newest(): Promise<void> {
  try {
    const answer = await store.rest.get<Listed[] | { sessions: Listed[] }>('sessions')
    const sessions = Array.isArray(answer) ? answer : answer.sessions
    const last = sessions.at(-1)
    if (last && !store.id.peek()) store.open(last.id)
    else if (!last) tabOf('view').value = 'runs' // where runs are opened and started
  } catch (error) {
    if (error instanceof FaultError) store.fault.value = error
  }
}

/** The server has answered a page with a token by a cookie: the token need not stay in view and in bookmarks. */
function forgetToken(): void {
  const url = new URL(location.href)
  if (!url.searchParams.has('token')) return
  url.searchParams.delete('token')
  history.replaceState(null, '', url)
}
