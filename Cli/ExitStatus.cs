namespace Couic.Cli;

/// <summary>What the shell sees.</summary>
internal static class ExitStatus
{
    public const int Success = 0;

    /// <summary>A failed command or a bad configuration.</summary>
    public const int Failure = 1;

    /// <summary>A command line that cannot be run; nothing was sent.</summary>
    public const int Usage = 2;

    /// <summary>Of <c>status --check</c>: the daemon cannot be asked.</summary>
    public const int Unreachable = 2;
}
