using Microsoft.Win32.SafeHandles;

namespace Couic.Native;

/// <summary>
/// A lock file that marks a resource as in use until this process, and those that inherit the descriptor, have ended. Only its owner can
/// open it: any user could take a lock on a file that all can open.
/// </summary>
internal static class ClaimFile
{
    private const int Tries = 10;

    /// <summary>Takes the lock of a file, which is created when it is missing.</summary>
    /// <returns>None; EAGAIN when another process holds it; or an error that <paramref name="fault"/> explains.</returns>
    public static Errno TryTake(string path, FileOwner owner, out SafeFileHandle? claim, out string fault)
    {
        Errno error = Open(path, owner, out claim, out fault);
        if (error == Errno.None && (error = Files.TryLock(claim!)) != Errno.None)
        {
            fault = error.Text();
        }

        if (error != Errno.None)
        {
            claim?.Dispose();
            claim = null;
        }

        return error;
    }

    private static Errno Open(string path, FileOwner owner, out SafeFileHandle? file, out string fault)
    {
        Errno error = Errno.EEXIST;
        file = null;
        fault = string.Empty;
        for (int i = 0; i < Tries; i++)
        {
            error = Files.TryOpenClaim(path, create: true, GuardedFile.Mode, out file);
            if (error == Errno.None)
            {
                error = Files.TryStat(file!, out FileState made);
                error = error == Errno.None && made.Owner != owner ? Files.TryChown(file!, owner) : error;
                error = error == Errno.None ? Files.TryChmod(file!, GuardedFile.Mode) : error;
                break;
            }

            if (error != Errno.EEXIST)
            {
                break;
            }

            GuardResult result = GuardedFile.CheckName(path, owner);
            if (!result.IsOk && result.Status != GuardStatus.Absent)
            {
                fault = $"lock file \"{path}\": {result.Message}";
                return Errno.EINVAL;
            }

            error = Files.TryOpenClaim(path, create: false, 0, out file);
            if (error == Errno.None)
            {
                result = GuardedFile.CheckOpen(file!, path, owner);
                fault = result.IsOk ? string.Empty : $"lock file \"{path}\": {result.Message}";
                return result.IsOk ? Errno.None : Errno.EINVAL;
            }

            if (error != Errno.ENOENT)
            {
                break; // ENOENT: another process removed it since, so try again
            }
        }

        fault = error == Errno.None ? string.Empty : $"lock file \"{path}\": {error.Text()}";
        return error;
    }
}
