namespace Couic.Reporting;

/// <summary>Brings a body to where it is to go.</summary>
internal interface IReportTransport
{
    /// <summary>Posts once. Never throws for what the other side or the network does.</summary>
    ValueTask<PostAnswer> PostAsync(Uri target, ReadOnlyMemory<byte> json, CancellationToken cancel);
}

/// <param name="Status">The HTTP status; 0 when there was no answer.</param>
/// <param name="Cause">Why there was none, or the status in words; nothing of the target's path.</param>
/// <param name="RetryAfter">What the other side asked for (RFC 9110 §10.2.3); null when it did not.</param>
internal readonly record struct PostAnswer(int Status, string Cause, TimeSpan? RetryAfter = null)
{
    public bool IsSuccess => Status is >= 200 and < 300;
}
