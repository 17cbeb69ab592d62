namespace Couic.Daemon;

/// <summary>How the last reading of the configuration ended.</summary>
/// <param name="Message">Why it failed; empty when it did not.</param>
/// <param name="IsStart">Whether it was the daemon's start, and no reload.</param>
internal sealed record ConfigReload(DateTimeOffset At, bool Ok, string Message, bool IsStart);
