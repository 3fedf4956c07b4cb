package ruleset

import "github.com/saker-sec/saker/internal/event"

// visible reports whether rules see events of a type. They do not see the enter events of system calls, which exist for
// the state alone: some paths and addresses can be read safely only there.
func visible(t *event.Type) bool {
	return t.Class != event.ClassSyscall || !t.Enter
}

// initial reports whether an event of a type, when it comes before any other kind of event, describes what was there
// before: captures begin with such events, and rules do not see them.
func initial(code event.Code) bool {
	switch code {
	case event.ContainerJsonV2E, event.UserAddedE, event.UserDeletedE, event.GroupAddedE, event.GroupDeletedE,
		event.AsynceventE:
		return true
	}
	return false
}
