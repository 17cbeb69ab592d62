using Couic.Native;
using Microsoft.Extensions.Logging;

namespace Couic.Daemon;

/// <summary>Another attacher through the socket of <see cref="AttacherService"/>.</summary>
/// <param name="programs">Descriptors of the programs that the first one has loaded.</param>
internal sealed partial class AttacherSource(string path, int[] programs, ILogger log) : IAttacherSource
{
    private string _lastTrouble = "";

    public MessageChannel? Connect()
    {
        try
        {
            return AttacherService.Resume(path, programs);
        }
        catch (IOException e)
        {
            if (e.Message != _lastTrouble)
            {
                NoAttacher(e.Message);
            }

            _lastTrouble = e.Message;
            return null;
        }
    }

    [LoggerMessage(EventName = "no_attacher", Level = LogLevel.Error,
        Message = "no other attacher process yet: {Cause} (is couic-attacher.socket active?); it is tried again")]
    private partial void NoAttacher(string cause);
}
