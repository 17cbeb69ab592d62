using Couic.Native;

namespace Couic.Bpf;

/// <summary>The data plane cannot be made or attached; the message is one line that says what, why and what to do.</summary>
public sealed class BpfException : Exception
{
    public BpfException(string message)
        : base(message)
    {
    }

    public BpfException(string message, Errno errno, string? verifierLog = null)
        : base(message)
    {
        Errno = errno;
        VerifierLog = verifierLog;
    }

    public BpfException(string message, Exception inner)
        : base(message, inner)
    {
    }

    /// <summary>The kernel's answer, if it was the kernel that refused.</summary>
    public Errno Errno { get; }

    /// <summary>The message without the action and its object; null where it is not known separately.</summary>
    public string? Cause { get; init; }

    /// <summary>All that the verifier wrote; null when it was not the verifier that refused.</summary>
    public string? VerifierLog { get; }
}
