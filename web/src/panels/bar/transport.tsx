/** Play, pause, step, back, speed, stop; the clock; what can be done now. */

import { useSignal } from '@preact/signals'
import { useEffect, useRef, useState } from 'preact/hooks'
import { liveOf } from '../charts/live'
import { useStore } from '../context'
import { Confirm } from '../forms/confirm'
import { NumberField } from '../forms/number'
import { brief, whole } from '../numbers'
import { Keys } from './keys'
import { Icon, type IconName } from './icons'
import { tell } from './toasts'
import { action, isGoing, keyText, speedCommand, speedPlace, SPEEDS, type Action } from './actions'

const STATES = {
  idle: 'idle',
  running: 'running',
  paused: 'paused',
  stopping: 'stopping',
  ended: 'ended',
  held: 'held',
  silent: 'no answer',
  lost: 'lost',
}

export function Transport() {
  const store = useStore()
  const asksToStop = useSignal(false)
  liveOf(store) // from the first moment on, whichever panels are open
  const status = store.status.value
  const isOpen = store.connection.value === 'open'
  if (!store.id.value) return <Keys />
  return (
    <>
      <Keys />
      <div class="buttons" role="group" aria-label="Time">
        <Tool of={action('back')} icon="back" isOpen={isOpen} />
        <Tool of={action('toggle')} icon={isGoing(status) ? 'pause' : 'play'} label={isGoing(status) ? 'Pause' : 'Play'} isOpen={isOpen} isMain />
        <Tool of={action('step')} icon="step" isOpen={isOpen} />
        <button
          type="button"
          class="button quiet"
          title="Stop the run"
          aria-label="Stop the run"
          disabled={!isOpen || status === null || status.state === 'stopping'}
          onClick={() => (asksToStop.value = true)}
        >
          <Icon name="stop" />
        </button>
      </div>
      <Speed isOpen={isOpen} />
      <ClockView />
      <div class="buttons" role="group" aria-label="Session">
        <Tool of={action('undo')} icon="undo" isOpen={isOpen} />
        <Tool of={action('evaluate')} icon="evaluate" isOpen={isOpen} />
        <Tool of={action('checkpoint')} icon="checkpoint" isOpen={isOpen} />
      </div>
      {asksToStop.value && (
        <Confirm
          title="Stop the run?"
          action="Stop"
          isDangerous
          onCancel={() => (asksToStop.value = false)}
          onConfirm={() => {
            asksToStop.value = false
            void store.perform('stop')
          }}
        >
          <p>It finishes the frame, saves a checkpoint and ends. It can be resumed from there later.</p>
        </Confirm>
      )}
    </>
  )
}

interface ToolProps {
  of: Action
  icon: IconName
  label?: string
  isOpen: boolean
  isMain?: boolean
}

function Tool({ of, icon, label = of.label, isOpen, isMain }: ToolProps) {
  const store = useStore()
  const keys = of.keys.map(keyText).join(' or ')
  return (
    <button
      type="button"
      class={isMain ? 'button primary' : 'button quiet'}
      title={`${label} (${keys})`}
      aria-label={label}
      aria-keyshortcuts={of.keys.map((key) => (key === ' ' ? 'Space' : key)).join(' ')}
      disabled={!isOpen || !of.isOffered(store.status.value)}
      onClick={() => of.perform(store)}
    >
      <Icon name={icon} />
    </button>
  )
}

function Speed({ isOpen }: { isOpen: boolean }) {
  const store = useStore()
  const speed = store.status.value?.speed ?? null
  const [dragged, setDragged] = useState<number | null>(null)
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined)
  useEffect(() => setDragged(null), [speed])
  useEffect(() => () => clearTimeout(timer.current), [])
  const place = dragged ?? speedPlace(speed)
  const shown = (dragged === null ? speed : SPEEDS[dragged]) ?? null
  const drag = (to: number) => {
    setDragged(to)
    clearTimeout(timer.current)
    timer.current = setTimeout(() => {
      if (speedPlace(store.status.peek()?.speed) === to) setDragged(null)
      else void store.perform(speedCommand(to)).then((isDone) => isDone || setDragged(null))
    }, 150)
  }
  return (
    <div class="speed" title="Frames per second at most ([ and ])">
      <label for="speed">Speed</label>
      <input
        id="speed"
        type="range"
        min={0}
        max={SPEEDS.length - 1}
        step={1}
        value={place}
        disabled={!isOpen}
        aria-valuetext={shown === null ? 'as fast as it can' : `${brief(shown)} frames per second`}
        onInput={(event) => drag(Number(event.currentTarget.value))}
      />
      <NumberField
        label="Speed, frames per second"
        hideLabel
        isShort
        min={0.01}
        value={shown}
        placeholder="max"
        unit="/s"
        disabled={!isOpen}
        onCommit={(number) => void store.perform(`speed ${number}`)}
      />
    </div>
  )
}

function ClockView() {
  const store = useStore()
  const status = store.status.value
  const held = status?.held ?? null
  useEffect(() => {
    if (held) tell(`The run is held, as a frame has failed: ${held}`, 'refused')
  }, [held])
  if (!status) return <span class="clock note">{store.connection.value === 'open' ? 'asking how it stands' : ''}</span>
  const { clock, state, frames_per_second: pace } = status
  const connection = store.connection.value
  const isOver = store.ended.value !== null || connection === 'ended'
  const isKnown = connection === 'open' && !isOver && !store.isSilent.value
  const word = isOver ? 'ended' : isKnown ? (held && state === 'paused' ? 'held' : state) : connection === 'open' ? 'silent' : 'lost'
  return (
    <div class="clock" aria-label="Clock">
      <span class={`state ${word}`} role="status" title={isKnown ? (held ?? undefined) : 'How it stood when it was last heard of'}>
        {STATES[word]}
      </span>
      <Count name="frame" value={whole(clock.frame)} />
      <Count name="step" value={whole(clock.step)} />
      <Count name="epoch" value={brief(clock.epoch)} />
      <Count name="frames/s" value={isKnown && isGoing(status) ? brief(pace) : '–'} isRate />
    </div>
  )
}

function Count({ name, value, isRate }: { name: string; value: string; isRate?: boolean }) {
  return (
    <span class={isRate ? 'count rate' : 'count'}>
      <span class="name">{name}</span> <b>{value}</b>
    </span>
  )
}
