/** The panels that the shell shows, by region. A panel is a component without properties that reads the store. */

import type { ComponentType } from 'preact'
import 'uplot/dist/uPlot.min.css'
import './panels.css'
import './forms/forms.css'
import './bar/bar.css'
import './inspector/inspector.css'
import './charts/charts.css'
import './journal/journal.css'
import './rollout/rollout.css'
import './runs/runs.css'
import { SessionChoice } from './bar/sessions'
import { Settings } from './bar/settings'
import { Toasts } from './bar/toasts'
import { Transport } from './bar/transport'
import { Charts } from './charts/charts'
import { Inspector } from './inspector/inspector'
import { Journal } from './journal/journal'
import { Learning } from './learning/learning'
import { RolloutView } from './rollout/rollout'
import { Runs } from './runs/runs'

export interface Panel {
  id: string
  label: string
  View: ComponentType
}

export interface Panels {
  /** In the bar: the session that is shown, and the others. */
  SessionChoice: ComponentType
  /** In the bar: play, pause, step, back, speed, clock. */
  Transport: ComponentType
  /** At the right end of the bar: theme, help. */
  Settings: ComponentType
  /** Above all: what was refused, what was answered. */
  Toasts: ComponentType
  /** Beside the outline of the net, on the left. */
  left: Panel[]
  /** Beside the view of the net, in the middle. */
  views: Panel[]
  right: Panel[]
  bottom: Panel[]
}

export const panels: Panels = {
  SessionChoice,
  Transport,
  Settings,
  Toasts,
  left: [],
  views: [
    { id: 'rollout', label: 'Rollout', View: RolloutView },
    { id: 'runs', label: 'Runs', View: Runs },
  ],
  right: [
    { id: 'inspector', label: 'Inspector', View: Inspector },
    { id: 'learning', label: 'Learning', View: Learning },
  ],
  bottom: [
    { id: 'charts', label: 'Charts', View: Charts },
    { id: 'journal', label: 'Journal', View: Journal },
  ],
}
