package container

import (
	"context"
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// dial prepares a connection to a Unix socket; it is made with the first call. Sockets have no encryption.
func dial(socket string) (*grpc.ClientConn, error) {
	c, err := grpc.NewClient("unix://"+socket,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxAnswer)),
		grpc.WithMaxHeaderListSize(1<<16),
		grpc.WithDisableServiceConfig())
	if err != nil {
		return nil, fmt.Errorf("preparing a connection to %s: %w", socket, err)
	}
	return c, nil
}

// missing reports whether err means that there is no such thing.
func missing(err error) bool { return status.Code(err) == codes.NotFound }

// unsupported reports whether err means that the server does not have the call.
func unsupported(err error) bool { return status.Code(err) == codes.Unimplemented }

// said returns an error of a server without the words of the library.
func said(what string, err error) error {
	s, ok := status.FromError(err)
	if !ok {
		return fmt.Errorf("%s: %w", what, err)
	}
	return fmt.Errorf("%s: %s: %s", what, s.Code(), s.Message())
}

// in returns a context for calls about one namespace of containerd.
func in(ctx context.Context, namespace string) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "containerd-namespace", namespace)
}
