// Package live holds tests that run the saker program on the machine they run on, provoke every default rule with real
// system calls, and compare the alerts with what was to be expected.
//
// The tests need root and a kernel with BTF; without them they are skipped and say why. A provocation runs in a process
// of its own, in a scratch directory and where needed in mount, network and process namespaces and control groups of
// its own, so that nothing of the machine is changed. Each provocation has a near miss beside it: something alike that
// must raise no alert.
package live
