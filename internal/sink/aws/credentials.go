package aws

import (
	"bytes"
	"context"
	"fmt"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// sessionName is that of the sessions of roles that are assumed; CloudTrail shows it.
const sessionName = "saker"

// static returns the keys of the configuration; nil when it has none.
func (c *Config) static() aws.CredentialsProvider {
	if c.AccessKeyID == "" || c.SecretAccessKey == "" {
		return nil
	}
	return credentials.NewStaticCredentialsProvider(c.AccessKeyID, c.SecretAccessKey, c.SessionToken)
}

// identify returns where credentials come from, and the region, which is the one given unless that is "". It reads files, and
// asks the instance when nothing else names a region.
func (c *Config) identify(ctx context.Context, region string) (aws.CredentialsProvider, string, error) {
	own := c.static()
	if own != nil && region != "" && c.RoleARN == "" {
		return own, region, nil
	}
	options := []func(*config.LoadOptions) error{}
	if region != "" {
		options = append(options, config.WithRegion(region))
	}
	if own != nil {
		options = append(options, config.WithCredentialsProvider(own))
	}
	if c.Profile != "" {
		options = append(options, config.WithSharedConfigProfile(c.Profile))
	}
	if c.HTTP.CAFile != "" {
		text, err := os.ReadFile(c.HTTP.CAFile)
		if err != nil {
			return nil, "", fmt.Errorf("reading the authorities to trust: %w", err)
		}
		options = append(options, config.WithCustomCABundle(bytes.NewReader(text)))
	}
	found, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return nil, "", fmt.Errorf("looking for AWS credentials and the region: %w", err)
	}
	if found.Region == "" {
		if found, err = config.LoadDefaultConfig(ctx, append(options, config.WithEC2IMDSRegion())...); err != nil {
			return nil, "", fmt.Errorf("no region is known: aws.region, AWS_REGION or the profile must name one; the instance does not: %w", err)
		}
	}
	if c.RoleARN == "" {
		return found.Credentials, found.Region, nil
	}
	role := stscreds.NewAssumeRoleProvider(sts.NewFromConfig(found), c.RoleARN, func(o *stscreds.AssumeRoleOptions) {
		o.RoleSessionName = sessionName
		if c.ExternalID != "" {
			o.ExternalID = &c.ExternalID
		}
	})
	return aws.NewCredentialsCache(role), found.Region, nil
}
