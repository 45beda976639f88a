/** Which session the page shows, and which others live: another one is a choice away. */

import { useState } from 'preact/hooks'
import { tabOf } from '../../shell/region'
import { useStore } from '../context'

interface Listed {
  id: string
}

const ALL = ' all'

export function SessionChoice() {
  const store = useStore()
  const [others, setOthers] = useState<readonly string[]>([])
  const id = store.id.value
  const load = async () => {
    try {
      const answer = await store.rest.get<{ sessions: Listed[] }>('sessions')
      setOthers(answer.sessions.map((session) => session.id))
    } catch {
      setOthers([])
    }
  }
  if (!id) return null
  const known = [...new Set([id, ...others])]
  return (
    <select
      class="field session"
      aria-label="Session"
      title={`This page shows ${id}; choose another that lives, or see all runs`}
      value={id}
      onPointerEnter={() => void load()}
      onFocus={() => void load()}
      onChange={(event) => {
        const { value } = event.currentTarget
        if (value === ALL) {
          event.currentTarget.value = id
          tabOf('view').value = 'runs'
        } else {
          store.open(value)
        }
      }}
    >
      {known.map((one) => (
        <option key={one} value={one}>
          {one}
        </option>
      ))}
      <option value={ALL}>All runs …</option>
    </select>
  )
}
