namespace Couic.Daemon;

/// <summary>Why the daemon does not start, in one line that says what to do.</summary>
internal sealed class StartException(string message, Exception? inner = null) : Exception(message, inner);
