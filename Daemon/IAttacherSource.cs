using Couic.Native;

namespace Couic.Daemon;

/// <summary>Where the daemon gets another attacher after the loss of one.</summary>
internal interface IAttacherSource
{
    /// <summary>Null when there is none now; the log says why.</summary>
    MessageChannel? Connect();
}
