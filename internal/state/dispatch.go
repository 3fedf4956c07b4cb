package state

import "github.com/saker-sec/saker/internal/event"

// op says what Apply does with an event of one type.
type op struct {
	handle func(*State, *Ctx, *event.Event) // nil if the type changes nothing
	fd     int8                             // parameter that holds the descriptor the event is about, -1 if none does
	kind   opKind
}

type opKind uint8

const (
	opNoThread opKind = 1 << iota // has no thread
	opFindOnly                    // its thread is not looked up in /proc: it is being created, exiting, or scheduled
	opKeepTime                    // does not count as something the thread did
	opHidden                      // announces a call: rules never see it
	opMeta                        // tells what is there, rather than what happens
)

// noThread are the events that belong to no thread whatever their header says.
var noThread = []event.Code{
	event.ContainerJsonV2E, event.UserAddedE, event.UserDeletedE, event.GroupAddedE, event.GroupDeletedE,
	event.PlugineventE, event.AsynceventE,
}

// operations returns what to do with each event type.
func operations() [event.NumCodes]op {
	var ops [event.NumCodes]op
	for i := range ops {
		ops[i] = baseOp(event.Code(i))
	}
	for _, c := range noThread {
		ops[c].kind |= opNoThread
		if c != event.PlugineventE {
			ops[c].kind |= opMeta
		}
	}
	for _, c := range []event.Code{
		event.SyscallCloneV20X, event.SyscallForkV20X, event.SyscallVforkV20X, event.SyscallClone3X,
		event.SchedswitchV6E, event.ProcexitV1E,
	} {
		ops[c].kind |= opFindOnly
	}
	ops[event.SchedswitchV6E].kind |= opKeepTime
	for _, h := range handlers() {
		for _, code := range h.codes {
			ops[code].handle = h.handle
		}
	}
	return ops
}

// baseOp derives from the schema what an event of a type is about.
func baseOp(code event.Code) op {
	t := &event.Types()[code]
	o := op{fd: -1}
	if t.Flags&event.FlagSkipparsereset != 0 {
		o.kind |= opFindOnly | opKeepTime
	}
	if t.Enter && t.Class == event.ClassSyscall {
		o.kind |= opHidden
	}
	if t.Flags&event.FlagUsesFd == 0 {
		return o
	}
	if code == event.SyscallSpliceX {
		o.fd = 2 // fd_out, not fd_in
		return o
	}
	// The first parameter of an exit event is its result, even where that is a descriptor.
	for i, p := range t.Params {
		if p.Type == event.TypeFd && (i > 0 || t.Enter) {
			o.fd = int8(i)
			break
		}
	}
	return o
}

type handler = func(*State, *Ctx, *event.Event)

// handlers lists what the event types do that change the state, by syscall family.
func handlers() []struct {
	handle handler
	codes  []event.Code
} {
	return []struct {
		handle handler
		codes  []event.Code
	}{
		{(*State).onEnter, []event.Code{
			event.SyscallOpenE, event.SyscallCreatE, event.SyscallOpenatV2E, event.SyscallOpenat2E,
			event.SocketConnectE, event.SyscallExecveV19E, event.SyscallExecveatE,
		}},
		{(*State).onOpen, []event.Code{
			event.SyscallOpenX, event.SyscallCreatX, event.SyscallOpenatV2X, event.SyscallOpenat2X,
			event.SyscallOpenByHandleAtX,
		}},
		{(*State).onClone, []event.Code{
			event.SyscallCloneV20X, event.SyscallForkV20X, event.SyscallVforkV20X, event.SyscallClone3X,
		}},
		{(*State).onExec, []event.Code{event.SyscallExecveV19X, event.SyscallExecveatX}},
		{(*State).onExit, []event.Code{event.ProcexitV1E}},
		{(*State).onClose, []event.Code{event.SyscallCloseX}},
		{(*State).onCloseRange, []event.Code{event.SyscallCloseRangeX}},
		{(*State).onDup, []event.Code{event.SyscallDupV1X, event.SyscallDup2X, event.SyscallDup3X}},
		{(*State).onFcntl, []event.Code{event.SyscallFcntlX}},
		{(*State).onPipe, []event.Code{event.SyscallPipeX, event.SyscallPipe2X}},
		{(*State).onAnon, []event.Code{
			event.SyscallEventfdX, event.SyscallEventfd2X, event.SyscallSignalfdX, event.SyscallSignalfd4X,
			event.SyscallTimerfdCreateX, event.SyscallInotifyInitX, event.SyscallInotifyInit1X, event.SyscallBpfV2X,
			event.SyscallUserfaultfdX, event.SyscallIoUringSetupX, event.SyscallEpollCreateX,
			event.SyscallEpollCreate1X,
		}},
		{(*State).onMemfd, []event.Code{event.SyscallMemfdCreateX}},
		{(*State).onPidfdOpen, []event.Code{event.SyscallPidfdOpenX}},
		{(*State).onPidfdGetfd, []event.Code{event.SyscallPidfdGetfdX}},
		{(*State).onSocket, []event.Code{event.SocketSocketX}},
		{(*State).onBind, []event.Code{event.SocketBindX}},
		{(*State).onConnect, []event.Code{event.SocketConnectX}},
		{(*State).onAccept, []event.Code{event.SocketAcceptV5X, event.SocketAccept4V6X}},
		{(*State).onSocketpair, []event.Code{event.SocketSocketpairX}},
		{(*State).onGetsockopt, []event.Code{event.SocketGetsockoptX}},
		{(*State).onReceive, []event.Code{
			event.SyscallReadX, event.SyscallReadvX, event.SyscallPreadX, event.SyscallPreadvX, event.SocketRecvX,
			event.SocketRecvfromX, event.SocketRecvmsgX, event.SocketRecvmmsgX,
		}},
		{(*State).onSend, []event.Code{
			event.SyscallWriteX, event.SyscallWritevX, event.SyscallPwriteX, event.SyscallPwritevX, event.SocketSendX,
			event.SocketSendtoX, event.SocketSendmsgX, event.SocketSendmmsgX,
		}},
		{(*State).onChdir, []event.Code{event.SyscallChdirX, event.SyscallGetcwdX}},
		{(*State).onFchdir, []event.Code{event.SyscallFchdirX}},
		{(*State).onChroot, []event.Code{event.SyscallChrootX}},
		{(*State).onSetUID, []event.Code{event.SyscallSetresuidX, event.SyscallSetreuidX, event.SyscallSetuidX}},
		{(*State).onSetGID, []event.Code{event.SyscallSetresgidX, event.SyscallSetregidX, event.SyscallSetgidX}},
		{(*State).onCapset, []event.Code{event.SyscallCapsetX}},
		{(*State).onUnshare, []event.Code{event.SyscallUnshareX, event.SyscallSetnsX}},
		{(*State).onSetsid, []event.Code{event.SyscallSetsidX}},
		{(*State).onSetpgid, []event.Code{event.SyscallSetpgidX}},
		{(*State).onPrctl, []event.Code{event.SyscallPrctlX}},
		{(*State).onRlimit, []event.Code{event.SyscallGetrlimitX, event.SyscallSetrlimitX}},
		{(*State).onPrlimit, []event.Code{event.SyscallPrlimitX}},
		{(*State).onMemory, []event.Code{
			event.SyscallBrkV4X, event.SyscallMmapX, event.SyscallMmap2X, event.SyscallMunmapX,
		}},
		{(*State).onSwitch, []event.Code{event.SchedswitchV6E}},
		{(*State).onAsync, []event.Code{event.AsynceventE}},
		{(*State).onContainer, []event.Code{event.ContainerJsonV2E}},
		{(*State).onUser, []event.Code{event.UserAddedE, event.UserDeletedE}},
		{(*State).onGroup, []event.Code{event.GroupAddedE, event.GroupDeletedE}},
	}
}
