import { render } from 'preact'
import { App } from './app'
import { follow } from './route'
import './theme.css'
import './shell.css'
import './net/net.css'

follow()
render(<App />, document.getElementById('root')!)
