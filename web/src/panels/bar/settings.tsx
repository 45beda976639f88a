/** At the right end of the bar: light or dark, and help. */

import { theme, type Theme } from '../../theme'
import { Icon } from './icons'
import { helpIsShown } from './keys'

const NEXT: Record<Theme, Theme> = { system: 'light', light: 'dark', dark: 'system' }
const WORDS: Record<Theme, string> = { system: 'as the system', light: 'light', dark: 'dark' }

export function Settings() {
  const now = theme.value
  return (
    <div class="buttons">
      <button
        type="button"
        class="button quiet"
        title={`Colours: ${WORDS[now]}; change to ${WORDS[NEXT[now]]}`}
        aria-label={`Colours: ${WORDS[now]}; change to ${WORDS[NEXT[now]]}`}
        onClick={() => (theme.value = NEXT[now])}
      >
        <Icon name={now} />
      </button>
      <button type="button" class="button quiet" title="Keys (?)" aria-label="Keys" onClick={() => (helpIsShown.value = true)}>
        <Icon name="help" />
      </button>
    </div>
  )
}
